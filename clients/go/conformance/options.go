package main

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	memory "github.com/semantic-memory/semantic-memory/clients/go"
	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

// callWithOptions sends a unary call with the fields of the request as options.
func callWithOptions(ctx context.Context, client *memory.Client, request proto.Message) (proto.Message, error) {
	switch r := request.(type) {
	case *pb.StoreRequest:
		return client.StoreText(ctx, r.Content, storeOptions(r))
	case *pb.BatchStoreRequest:
		var memories []memory.NewMemory
		for _, one := range r.Memories {
			memories = append(memories, memory.NewMemory{Content: one.Content, StoreOptions: storeOptions(one)})
		}
		return client.StoreBatch(ctx, memories, memory.BatchStoreOptions{Index: r.Index})
	case *pb.GetRequest:
		return client.GetMemory(ctx, r.Id, memory.GetOptions{Index: r.Index, UserID: r.UserId, AllUsers: r.AllUsers})
	case *pb.ListRequest:
		f := r.GetFilter()
		return client.ListMemories(ctx, memory.ListOptions{
			Index: r.Index, UserID: f.GetUserId(), AllUsers: f.GetAllUsers(), SessionIDs: f.GetSessionIds(), Roles: f.GetRoles(),
			StartTime: asTime(f.GetStartTime()), EndTime: asTime(f.GetEndTime()), AnyLabels: f.GetAnyLabels(),
			AllLabels: f.GetAllLabels(), ExcludeSessionIDs: f.GetExcludeSessionIds(), Order: r.Order, PageSize: r.GetPageSize(),
			PageToken: r.PageToken, IncludeEmbeddings: r.IncludeEmbeddings,
		})
	case *pb.DeleteRequest:
		return client.DeleteMemories(ctx, r.Ids, memory.DeleteOptions{Index: r.Index, UserID: r.UserId, AllUsers: r.AllUsers})
	case *pb.DeleteMatchingRequest:
		f := r.GetFilter()
		return client.DeleteMatchingMemories(ctx, memory.DeleteMatchingOptions{
			Index: r.Index, UserID: f.GetUserId(), AllUsers: f.GetAllUsers(), SessionIDs: f.GetSessionIds(), Roles: f.GetRoles(),
			StartTime: asTime(f.GetStartTime()), EndTime: asTime(f.GetEndTime()), AnyLabels: f.GetAnyLabels(),
			AllLabels: f.GetAllLabels(), ExcludeSessionIDs: f.GetExcludeSessionIds(), DryRun: r.DryRun,
		})
	case *pb.EnsureIndexRequest:
		return client.EnsureNamedIndex(ctx, r.Index, memory.EnsureIndexOptions{
			Dimension: r.GetDimension(), EmbeddingModel: r.EmbeddingModel, Algorithms: r.Algorithms, Layout: r.Layout,
		})
	case *pb.ListIndexesRequest:
		return client.ListAllIndexes(ctx)
	case *pb.GetIndexRequest:
		return client.GetNamedIndex(ctx, r.Index)
	}
	r := request.(*pb.DropIndexRequest)
	return client.DropNamedIndex(ctx, r.Index, memory.DropIndexOptions{DeleteMemories: r.DeleteMemories})
}

func storeOptions(r *pb.StoreRequest) memory.StoreOptions {
	embedding, err := memory.Unpack(r.Embedding)
	must(err)
	return memory.StoreOptions{
		Index: r.Index, UserID: r.UserId, SessionID: r.SessionId, Role: r.Role, Timestamp: asTime(r.Timestamp), ID: r.Id,
		RequestID: r.RequestId, TTL: r.GetTtl().AsDuration(), ExpireTime: asTime(r.GetExpireTime()), Embedding: embedding,
		EmbeddingModel: r.EmbeddingModel, Labels: r.Labels, Metadata: r.Metadata,
		NearDuplicateMinScore: r.NearDuplicateMinScore,
	}
}

// searchWithOptions searches with the fields of the request as options.
func searchWithOptions(ctx context.Context, client *memory.Client, r *pb.SearchRequest, summary *pb.SearchSummary) iter.Seq2[*pb.Hit, error] {
	embedding, err := memory.Unpack(r.QueryEmbedding)
	must(err)
	f := r.GetFilter()
	return client.SearchText(ctx, r.QueryText, memory.SearchOptions{
		Index: r.Index, UserID: f.GetUserId(), AllUsers: f.GetAllUsers(), SessionIDs: f.GetSessionIds(), Roles: f.GetRoles(),
		StartTime: asTime(f.GetStartTime()), EndTime: asTime(f.GetEndTime()), AnyLabels: f.GetAnyLabels(),
		AllLabels: f.GetAllLabels(), ExcludeSessionIDs: f.GetExcludeSessionIds(), QueryEmbedding: embedding,
		EmbeddingModel: r.EmbeddingModel, K: r.GetK(), MinScore: r.MinScore, Mode: r.Mode, TextWeight: r.TextWeight,
		NeighborWeight: r.GetNeighborWeight(), RecencyHalfLife: r.GetRecency().GetHalfLife().AsDuration(),
		RecencyWeight: recencyWeight(r), Diversity: r.GetDiversity(), ExcludeIDs: r.ExcludeIds,
		ContextBefore: r.GetContext().GetBefore(), ContextAfter: r.GetContext().GetAfter(), Consistency: r.Consistency,
		EfRuntime: r.GetEfRuntime(), AllowDegraded: r.AllowDegraded, Summary: summary,
	})
}

func recencyWeight(r *pb.SearchRequest) *float32 {
	if r.Recency == nil {
		return nil
	}
	return r.Recency.Weight
}

func asTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
