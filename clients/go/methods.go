package semanticmemory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

// StoreText stores one memory.
func (c *Client) StoreText(ctx context.Context, content string, options StoreOptions) (*pb.StoreResponse, error) {
	request, err := options.request(content)
	if err != nil {
		return nil, err
	}
	return c.Store(ctx, request)
}

// StoreBatch stores up to 100 memories. The response has a result for each.
func (c *Client) StoreBatch(ctx context.Context, memories []NewMemory, options BatchStoreOptions) (*pb.BatchStoreResponse, error) {
	request := &pb.BatchStoreRequest{Index: options.Index}
	for i, memory := range memories {
		one, err := memory.request(memory.Content)
		if err != nil {
			return nil, fmt.Errorf("memories[%d]: %w", i, err)
		}
		request.Memories = append(request.Memories, one)
	}
	return c.BatchStore(ctx, request)
}

// SearchText yields the hits for a text, best first. With options.QueryEmbedding the query may be empty. The loop is that
// of Hits.
func (c *Client) SearchText(ctx context.Context, query string, options SearchOptions) iter.Seq2[*pb.Hit, error] {
	return c.Hits(ctx, options.request(query), options.Summary)
}

// GetMemory returns one memory.
func (c *Client) GetMemory(ctx context.Context, id string, options GetOptions) (*pb.GetResponse, error) {
	return c.Get(ctx, &pb.GetRequest{Index: options.Index, UserId: options.UserID, AllUsers: options.AllUsers, Id: id})
}

// ListMemories returns a page of the memories that match the options, oldest first.
func (c *Client) ListMemories(ctx context.Context, options ListOptions) (*pb.ListResponse, error) {
	return c.List(ctx, options.request())
}

// DeleteMemories deletes memories by their ids.
func (c *Client) DeleteMemories(ctx context.Context, ids []string, options DeleteOptions) (*pb.DeleteResponse, error) {
	return c.Delete(ctx, &pb.DeleteRequest{Index: options.Index, UserId: options.UserID, AllUsers: options.AllUsers, Ids: ids})
}

// DeleteMatchingMemories deletes the memories that match the options, or counts them with DryRun.
func (c *Client) DeleteMatchingMemories(ctx context.Context, options DeleteMatchingOptions) (*pb.DeleteMatchingResponse, error) {
	return c.DeleteMatching(ctx, options.request())
}

// EnsureNamedIndex creates an index, or checks that the existing one has these properties. "" is the server's default
// index.
func (c *Client) EnsureNamedIndex(ctx context.Context, name string, options EnsureIndexOptions) (*pb.EnsureIndexResponse, error) {
	return c.EnsureIndex(ctx, &pb.EnsureIndexRequest{
		Index:          name,
		Dimension:      unlessZero(options.Dimension),
		EmbeddingModel: options.EmbeddingModel,
		Algorithms:     options.Algorithms,
		Layout:         options.Layout,
	})
}

// ListAllIndexes describes all indexes.
func (c *Client) ListAllIndexes(ctx context.Context) (*pb.ListIndexesResponse, error) {
	return c.ListIndexes(ctx, &pb.ListIndexesRequest{})
}

// GetNamedIndex describes one index. "" is the server's default index.
func (c *Client) GetNamedIndex(ctx context.Context, name string) (*pb.GetIndexResponse, error) {
	return c.GetIndex(ctx, &pb.GetIndexRequest{Index: name})
}

// DropNamedIndex removes an index and, with DeleteMemories, its memories.
func (c *Client) DropNamedIndex(ctx context.Context, name string, options DropIndexOptions) (*pb.DropIndexResponse, error) {
	return c.DropIndex(ctx, &pb.DropIndexRequest{Index: name, DeleteMemories: options.DeleteMemories})
}

func (o StoreOptions) request(content string) (*pb.StoreRequest, error) {
	if o.TTL != 0 && !o.ExpireTime.IsZero() {
		return nil, errors.New("TTL and ExpireTime are both set: use one of them")
	}
	request := &pb.StoreRequest{
		Index:                 o.Index,
		UserId:                o.UserID,
		SessionId:             o.SessionID,
		Role:                  o.Role,
		Content:               content,
		Timestamp:             timestamp(o.Timestamp),
		Id:                    o.ID,
		RequestId:             o.RequestID,
		Embedding:             Pack(o.Embedding),
		EmbeddingModel:        o.EmbeddingModel,
		Labels:                o.Labels,
		Metadata:              o.Metadata,
		NearDuplicateMinScore: o.NearDuplicateMinScore,
	}
	if o.TTL != 0 {
		request.Expiration = &pb.StoreRequest_Ttl{Ttl: durationpb.New(o.TTL)}
	} else if !o.ExpireTime.IsZero() {
		request.Expiration = &pb.StoreRequest_ExpireTime{ExpireTime: timestamppb.New(o.ExpireTime)}
	}
	return request, nil
}

func (o SearchOptions) request(query string) *pb.SearchRequest {
	request := &pb.SearchRequest{
		Index:          o.Index,
		QueryText:      query,
		QueryEmbedding: Pack(o.QueryEmbedding),
		EmbeddingModel: o.EmbeddingModel,
		Filter: &pb.MemoryFilter{
			UserId: o.UserID, AllUsers: o.AllUsers, SessionIds: o.SessionIDs, Roles: o.Roles,
			StartTime: timestamp(o.StartTime), EndTime: timestamp(o.EndTime),
			AnyLabels: o.AnyLabels, AllLabels: o.AllLabels, ExcludeSessionIds: o.ExcludeSessionIDs,
		},
		K:              unlessZero(o.K),
		MinScore:       o.MinScore,
		Mode:           o.Mode,
		TextWeight:     o.TextWeight,
		NeighborWeight: unlessZero(o.NeighborWeight),
		Diversity:      unlessZero(o.Diversity),
		ExcludeIds:     o.ExcludeIDs,
		Consistency:    o.Consistency,
		EfRuntime:      unlessZero(o.EfRuntime),
		AllowDegraded:  o.AllowDegraded,
	}
	if o.RecencyHalfLife != 0 || o.RecencyWeight != nil {
		request.Recency = &pb.Recency{HalfLife: durationpb.New(o.RecencyHalfLife), Weight: o.RecencyWeight}
	}
	if o.ContextBefore != 0 || o.ContextAfter != 0 {
		request.Context = &pb.ContextSize{Before: o.ContextBefore, After: o.ContextAfter}
	}
	return request
}

func (o ListOptions) request() *pb.ListRequest {
	return &pb.ListRequest{
		Index: o.Index,
		Filter: &pb.MemoryFilter{
			UserId: o.UserID, AllUsers: o.AllUsers, SessionIds: o.SessionIDs, Roles: o.Roles,
			StartTime: timestamp(o.StartTime), EndTime: timestamp(o.EndTime),
			AnyLabels: o.AnyLabels, AllLabels: o.AllLabels, ExcludeSessionIds: o.ExcludeSessionIDs,
		},
		Order:             o.Order,
		PageSize:          unlessZero(o.PageSize),
		PageToken:         o.PageToken,
		IncludeEmbeddings: o.IncludeEmbeddings,
	}
}

func (o DeleteMatchingOptions) request() *pb.DeleteMatchingRequest {
	return &pb.DeleteMatchingRequest{
		Index: o.Index,
		Filter: &pb.MemoryFilter{
			UserId: o.UserID, AllUsers: o.AllUsers, SessionIds: o.SessionIDs, Roles: o.Roles,
			StartTime: timestamp(o.StartTime), EndTime: timestamp(o.EndTime),
			AnyLabels: o.AnyLabels, AllLabels: o.AllLabels, ExcludeSessionIds: o.ExcludeSessionIDs,
		},
		DryRun: o.DryRun,
	}
}

// timestamp returns nil for the zero time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// unlessZero returns nil for 0.
func unlessZero[T uint32 | float32](value T) *T {
	if value == 0 {
		return nil
	}
	return &value
}
