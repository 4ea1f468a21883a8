//go:build tools

// Package goclients pins the clients of gRPC in Go that tests/e2e/grpc_clients.py runs.
package goclients

import (
	_ "github.com/bojand/ghz/cmd/ghz"
	_ "github.com/fullstorydev/grpcurl/cmd/grpcurl"
	_ "github.com/grpc-ecosystem/grpc-health-probe"
)
