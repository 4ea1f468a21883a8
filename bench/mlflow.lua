-- Writers of metrics for wrk: each request a point of a key that is its thread's own.
local threads, at = 0, 0
local path = "/api/2.0/mlflow/runs/log-metric"
local heads = { ["Content-Type"] = "application/json" }

function setup(thread)
   threads = threads + 1
   thread:set("number", threads)
end

function request()
   at = at + 1
   return wrk.format("POST", path, heads, string.format(
      '{"run_id":"%s","key":"k%d","value":%d.5,"timestamp":%d,"step":%d}', os.getenv("RUN"), number, at, at, at))
end

function done(summary, latency, requests)
   io.write(string.format(
      "axiom %d requests %d us %d bad %d errors\n", summary.requests, summary.duration, summary.errors.status,
      summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
