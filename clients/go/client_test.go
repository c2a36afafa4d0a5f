package semanticmemory

import (
	"context"
	"errors"
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

// scripted fails the first Stores, records their requests, and streams hits without end.
type scripted struct {
	pb.UnimplementedMemoryServiceServer
	failures  int
	requests  []*pb.StoreRequest
	tokens    []string
	deadline  time.Time
	cancelled chan struct{}
}

func (s *scripted) Store(ctx context.Context, request *pb.StoreRequest) (*pb.StoreResponse, error) {
	s.requests = append(s.requests, request)
	arrived, _ := metadata.FromIncomingContext(ctx)
	s.tokens = append(s.tokens, arrived.Get("authorization")...)
	s.deadline, _ = ctx.Deadline()
	if len(s.requests) <= s.failures {
		return nil, status.Error(codes.Unavailable, "not yet")
	}
	return &pb.StoreResponse{Id: "1"}, nil
}

func (s *scripted) Search(_ *pb.SearchRequest, stream grpc.ServerStreamingServer[pb.SearchResponse]) error {
	for stream.Context().Err() == nil {
		if err := stream.Send(&pb.SearchResponse{Hits: []*pb.Hit{{Score: 1}}}); err != nil {
			break
		}
	}
	close(s.cancelled)
	return nil
}

func (s *scripted) Get(context.Context, *pb.GetRequest) (*pb.GetResponse, error) {
	answer, err := status.New(codes.InvalidArgument, "id: too long").WithDetails(
		&errdetails.ErrorInfo{Reason: "INVALID_REQUEST", Metadata: map[string]string{"a": "b"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "id", Description: "too long", Reason: "string.max_bytes"}}},
	)
	if err != nil {
		return nil, err
	}
	return nil, answer.Err()
}

func serve(t *testing.T, s *scripted) *Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, healthy := grpc.NewServer(), health.NewServer()
	healthy.SetServingStatus("semantic_memory.v1.MemoryService", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthy)
	pb.RegisterMemoryServiceServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	client, err := Connect(listener.Addr().String(), Options{Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestStoreIsRetriedUnderOneRequestID(t *testing.T) {
	s := &scripted{failures: 2}
	client := serve(t, s)
	if _, err := client.Store(context.Background(), &pb.StoreRequest{UserId: "u"}); err != nil {
		t.Fatal(err)
	}
	if len(s.requests) != 3 || s.requests[0].RequestId == "" || s.requests[0].RequestId != s.requests[2].RequestId {
		t.Errorf("the server received %v", s.requests)
	}
	if !slices.Equal(s.tokens, []string{"Bearer secret", "Bearer secret", "Bearer secret"}) {
		t.Errorf("the tokens were %v", s.tokens)
	}
	if left := time.Until(s.deadline); left <= 0 || left > 30*time.Second {
		t.Errorf("the deadline is in %v", left)
	}
}

func TestLeavingTheLoopEndsTheSearchOnTheServer(t *testing.T) {
	s := &scripted{cancelled: make(chan struct{})}
	for _, err := range serve(t, s).Hits(context.Background(), &pb.SearchRequest{}, nil) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	select {
	case <-s.cancelled:
	case <-time.After(10 * time.Second):
		t.Fatal("the search did not end on the server")
	}
}

func TestErrorsAreTyped(t *testing.T) {
	_, err := serve(t, &scripted{}).Get(context.Background(), &pb.GetRequest{})
	var e *Error
	if !errors.As(err, &e) || status.Code(err) != codes.InvalidArgument {
		t.Fatal(err)
	}
	if e.Reason != pb.ErrorReason_ERROR_REASON_INVALID_REQUEST || e.Metadata["a"] != "b" || e.Violations[0].Field != "id" {
		t.Errorf("%+v", e)
	}
	if e.Error() != "INVALID_ARGUMENT INVALID_REQUEST: id: too long" {
		t.Error(e)
	}
}

func TestTheErrorForAWrongAddressIsOneLine(t *testing.T) {
	client, err := Connect("127.0.0.1:1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ListIndexes(context.Background(), &pb.ListIndexesRequest{})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
}

func TestEmbeddingsKeepTheirBits(t *testing.T) {
	given := []float32{math.SmallestNonzeroFloat32, float32(math.Copysign(0, -1)), math.MaxFloat32, 1}
	got, err := Unpack(Pack(given))
	if err != nil || !slices.EqualFunc(given, got, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
		t.Error(got, err)
	}
	if _, err := Unpack([]byte{1}); err == nil {
		t.Error("Unpack accepted one byte")
	}
}
