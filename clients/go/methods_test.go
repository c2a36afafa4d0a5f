package semanticmemory

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

var (
	morning = time.Date(2026, 1, 1, 9, 0, 0, 0, time.FixedZone("CET", 3600))
	eight   = &timestamppb.Timestamp{Seconds: 1767254400}
)

// record returns a client of a server that answers every RPC, and the last request that it received.
func record(t *testing.T) (*Client, *proto.Message) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var last proto.Message
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(_ context.Context, request any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
			last = request.(proto.Message)
			return &emptypb.Empty{}, nil
		}),
		grpc.StreamInterceptor(func(_ any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
			last = &pb.SearchRequest{}
			if err := stream.RecvMsg(last); err != nil {
				return err
			}
			return stream.SendMsg(&pb.SearchResponse{Summary: &pb.SearchSummary{HitCount: 7}})
		}),
	)
	pb.RegisterMemoryServiceServer(server, pb.UnimplementedMemoryServiceServer{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	client, err := Connect(listener.Addr().String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, &last
}

func search(ctx context.Context, client *Client, query string, options SearchOptions) error {
	for _, err := range client.SearchText(ctx, query, options) {
		return err
	}
	return nil
}

func TestOptionsAreTheFieldsOfTheRequest(t *testing.T) {
	client, last := record(t)
	ctx := context.Background()
	for name, test := range map[string]struct {
		call func() error
		want proto.Message
	}{
		"StoreText": {
			func() error {
				_, err := client.StoreText(ctx, "We ship on Fridays", StoreOptions{
					Index: "notes", UserID: "me", SessionID: "monday", Role: RoleUser, Timestamp: morning, ID: "m", TTL: time.Hour,
					Embedding: []float32{1, 0.5}, EmbeddingModel: "own", Labels: []string{"a"},
					Metadata: map[string]string{"key": "value"}, NearDuplicateMinScore: Float32(0),
				})
				return err
			},
			&pb.StoreRequest{
				Index: "notes", UserId: "me", SessionId: "monday", Role: pb.Role_ROLE_USER, Content: "We ship on Fridays",
				Timestamp: eight, Id: "m", Expiration: &pb.StoreRequest_Ttl{Ttl: &durationpb.Duration{Seconds: 3600}},
				Embedding: Pack([]float32{1, 0.5}), EmbeddingModel: "own", Labels: []string{"a"},
				Metadata: map[string]string{"key": "value"}, NearDuplicateMinScore: proto.Float32(0),
			},
		},
		"StoreBatch": {
			func() error {
				_, err := client.StoreBatch(ctx, []NewMemory{
					{Content: "x", StoreOptions: StoreOptions{RequestID: "r", Role: RoleTool, ExpireTime: morning}},
				}, BatchStoreOptions{Index: "notes"})
				return err
			},
			&pb.BatchStoreRequest{Index: "notes", Memories: []*pb.StoreRequest{
				{Content: "x", RequestId: "r", Role: pb.Role_ROLE_TOOL, Expiration: &pb.StoreRequest_ExpireTime{ExpireTime: eight}},
			}},
		},
		"SearchText": {
			func() error { return search(ctx, client, "When do we release?", SearchOptions{UserID: "me", K: 5}) },
			&pb.SearchRequest{QueryText: "When do we release?", Filter: &pb.MemoryFilter{UserId: "me"}, K: proto.Uint32(5)},
		},
		"SearchText with every option": {
			func() error {
				return search(ctx, client, "", SearchOptions{
					Index: "notes", AllUsers: true, SessionIDs: []string{"s"}, Roles: []Role{RoleUser}, StartTime: morning, EndTime: morning,
					AnyLabels: []string{"a"}, AllLabels: []string{"b"}, ExcludeSessionIDs: []string{"t"}, QueryEmbedding: []float32{1},
					EmbeddingModel: "own", K: 9, MinScore: Float32(0), Mode: SearchModeHybrid, TextWeight: Float32(0), NeighborWeight: 0.5,
					RecencyHalfLife: time.Hour, RecencyWeight: Float32(0), Diversity: 0.25, ExcludeIDs: []string{"m"}, ContextBefore: 1,
					ContextAfter: 2, Consistency: ConsistencyPartial, EfRuntime: 10, AllowDegraded: true,
				})
			},
			&pb.SearchRequest{
				Index: "notes", QueryEmbedding: Pack([]float32{1}), EmbeddingModel: "own", K: proto.Uint32(9), MinScore: proto.Float32(0),
				Filter: &pb.MemoryFilter{
					AllUsers: true, SessionIds: []string{"s"}, Roles: []pb.Role{pb.Role_ROLE_USER}, StartTime: eight, EndTime: eight,
					AnyLabels: []string{"a"}, AllLabels: []string{"b"}, ExcludeSessionIds: []string{"t"},
				},
				Mode: pb.SearchMode_SEARCH_MODE_HYBRID, TextWeight: proto.Float32(0), NeighborWeight: proto.Float32(0.5),
				Recency:   &pb.Recency{HalfLife: &durationpb.Duration{Seconds: 3600}, Weight: proto.Float32(0)},
				Diversity: proto.Float32(0.25), ExcludeIds: []string{"m"}, Context: &pb.ContextSize{Before: 1, After: 2},
				Consistency: pb.Consistency_CONSISTENCY_PARTIAL, EfRuntime: proto.Uint32(10), AllowDegraded: true,
			},
		},
		"GetMemory": {
			func() error {
				_, err := client.GetMemory(ctx, "m", GetOptions{Index: "notes", UserID: "me"})
				return err
			},
			&pb.GetRequest{Index: "notes", UserId: "me", Id: "m"},
		},
		"ListMemories": {
			func() error {
				_, err := client.ListMemories(ctx, ListOptions{
					Index: "notes", UserID: "me", SessionIDs: []string{"s"}, Roles: []Role{RoleUser}, StartTime: morning, EndTime: morning,
					AnyLabels: []string{"a"}, AllLabels: []string{"b"}, ExcludeSessionIDs: []string{"t"}, Order: ListOrderNewestFirst,
					PageSize: 9, PageToken: "next", IncludeEmbeddings: true,
				})
				return err
			},
			&pb.ListRequest{
				Index: "notes",
				Filter: &pb.MemoryFilter{
					UserId: "me", SessionIds: []string{"s"}, Roles: []pb.Role{pb.Role_ROLE_USER}, StartTime: eight, EndTime: eight,
					AnyLabels: []string{"a"}, AllLabels: []string{"b"}, ExcludeSessionIds: []string{"t"},
				},
				Order: pb.ListOrder_LIST_ORDER_NEWEST_FIRST, PageSize: proto.Uint32(9), PageToken: "next", IncludeEmbeddings: true,
			},
		},
		"ListMemories without options": {
			func() error { _, err := client.ListMemories(ctx, ListOptions{}); return err },
			&pb.ListRequest{Filter: &pb.MemoryFilter{}},
		},
		"DeleteMemories": {
			func() error {
				_, err := client.DeleteMemories(ctx, []string{"m"}, DeleteOptions{AllUsers: true})
				return err
			},
			&pb.DeleteRequest{AllUsers: true, Ids: []string{"m"}},
		},
		"DeleteMatchingMemories": {
			func() error {
				_, err := client.DeleteMatchingMemories(ctx, DeleteMatchingOptions{
					Index: "notes", UserID: "me", SessionIDs: []string{"s"}, Roles: []Role{RoleUser}, StartTime: morning, EndTime: morning,
					AnyLabels: []string{"a"}, AllLabels: []string{"b"}, ExcludeSessionIDs: []string{"t"}, DryRun: true,
				})
				return err
			},
			&pb.DeleteMatchingRequest{
				Index: "notes",
				Filter: &pb.MemoryFilter{
					UserId: "me", SessionIds: []string{"s"}, Roles: []pb.Role{pb.Role_ROLE_USER}, StartTime: eight, EndTime: eight,
					AnyLabels: []string{"a"}, AllLabels: []string{"b"}, ExcludeSessionIds: []string{"t"},
				},
				DryRun: true,
			},
		},
		"EnsureNamedIndex": {
			func() error {
				_, err := client.EnsureNamedIndex(ctx, "notes", EnsureIndexOptions{
					Dimension: 3, EmbeddingModel: "own", Algorithms: []Algorithm{AlgorithmFlat}, Layout: LayoutHash,
				})
				return err
			},
			&pb.EnsureIndexRequest{
				Index: "notes", Dimension: proto.Uint32(3), EmbeddingModel: "own",
				Algorithms: []pb.Algorithm{pb.Algorithm_ALGORITHM_FLAT}, Layout: pb.Layout_LAYOUT_HASH,
			},
		},
		"ListAllIndexes": {
			func() error { _, err := client.ListAllIndexes(ctx); return err },
			&pb.ListIndexesRequest{},
		},
		"GetNamedIndex": {
			func() error { _, err := client.GetNamedIndex(ctx, "notes"); return err },
			&pb.GetIndexRequest{Index: "notes"},
		},
		"DropNamedIndex": {
			func() error {
				_, err := client.DropNamedIndex(ctx, "notes", DropIndexOptions{DeleteMemories: true})
				return err
			},
			&pb.DropIndexRequest{Index: "notes", DeleteMemories: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			*last = nil
			if err := test.call(); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(*last, test.want) {
				t.Errorf("sent %v, want %v", *last, test.want)
			}
		})
	}
}

func TestSearchTextFillsInTheSummary(t *testing.T) {
	client, _ := record(t)
	summary := &pb.SearchSummary{}
	if err := search(context.Background(), client, "x", SearchOptions{UserID: "me", Summary: summary}); err != nil || summary.HitCount != 7 {
		t.Error(summary, err)
	}
}

func TestTwoExpirationsAreAnErrorThatNamesThem(t *testing.T) {
	client, last := record(t)
	both := StoreOptions{TTL: time.Hour, ExpireTime: morning}
	if _, err := client.StoreText(context.Background(), "x", both); err == nil || err.Error() != "TTL and ExpireTime are both set: use one of them" {
		t.Error(err)
	}
	_, err := client.StoreBatch(context.Background(), []NewMemory{{}, {StoreOptions: both}}, BatchStoreOptions{})
	if err == nil || err.Error() != "memories[1]: TTL and ExpireTime are both set: use one of them" {
		t.Error(err)
	}
	if *last != nil {
		t.Errorf("sent %v", *last)
	}
}
