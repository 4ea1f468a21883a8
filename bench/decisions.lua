-- Decisions for wrk: bodies from the file of BODIES, one a line, each sent with an id of its own
-- when REQUEST_IDS is set; counts answers that are no decision.
local bodies, heads, at, sent = {}, { ["Content-Type"] = "application/json" }, 0, 0
local path = os.getenv("BODY_PATH") or "/api/v1/deployments/credit/decisions"
local ids = os.getenv("REQUEST_IDS")

function init()
   local token = os.getenv("TOKEN")
   if token then heads["Authorization"] = "Bearer " .. token end
   for line in io.lines(os.getenv("BODIES")) do
      bodies[#bodies + 1] = ids and line:sub(1, -2) or wrk.format("POST", path, heads, line)
   end
end

function request()
   at = at % #bodies + 1
   if not ids then return bodies[at] end
   sent = sent + 1
   return wrk.format("POST", path, heads, bodies[at] .. ',"request_id":"' .. ids .. "-" .. sent .. '"}')
end

function done(summary, latency, requests)
   io.write(string.format(
      "axiom %d requests %d us %d bad %d errors %d p50 %d p99\n", summary.requests, summary.duration,
      summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
