package semanticmemory

import (
	"time"

	pb "github.com/semantic-memory/semantic-memory/clients/go/semantic_memory/v1"
)

// The types of these options are those of the messages, so that one import is enough.
type (
	Role        = pb.Role
	SearchMode  = pb.SearchMode
	Consistency = pb.Consistency
	ListOrder   = pb.ListOrder
	Algorithm   = pb.Algorithm
	Layout      = pb.Layout
)

const (
	RoleUser      = pb.Role_ROLE_USER
	RoleAssistant = pb.Role_ROLE_ASSISTANT
	RoleSystem    = pb.Role_ROLE_SYSTEM
	RoleTool      = pb.Role_ROLE_TOOL

	SearchModeVector = pb.SearchMode_SEARCH_MODE_VECTOR
	SearchModeText   = pb.SearchMode_SEARCH_MODE_TEXT
	SearchModeHybrid = pb.SearchMode_SEARCH_MODE_HYBRID

	ConsistencyComplete = pb.Consistency_CONSISTENCY_COMPLETE
	ConsistencyPartial  = pb.Consistency_CONSISTENCY_PARTIAL

	ListOrderOldestFirst = pb.ListOrder_LIST_ORDER_OLDEST_FIRST
	ListOrderNewestFirst = pb.ListOrder_LIST_ORDER_NEWEST_FIRST

	AlgorithmHNSW = pb.Algorithm_ALGORITHM_HNSW
	AlgorithmFlat = pb.Algorithm_ALGORITHM_FLAT

	LayoutJSON = pb.Layout_LAYOUT_JSON
	LayoutHash = pb.Layout_LAYOUT_HASH
)

// Float32 returns a pointer to the value, for options where 0 differs from no value.
func Float32(value float32) *float32 { return &value }

// StoreOptions are the fields of a StoreRequest beside its content: see docs/reference.md. The zero value of a field is
// not sent, so the server's default applies. This holds for the options of all methods.
type StoreOptions struct {
	Index     string
	UserID    string
	SessionID string
	Role      Role
	Timestamp time.Time
	ID        string
	RequestID string
	// TTL or ExpireTime, not both.
	TTL                   time.Duration
	ExpireTime            time.Time
	Embedding             []float32
	EmbeddingModel        string
	Labels                []string
	Metadata              map[string]string
	NearDuplicateMinScore *float32
}

// NewMemory is one memory of a batch. Its Index must be empty.
type NewMemory struct {
	Content string
	StoreOptions
}

// BatchStoreOptions are the fields of a BatchStoreRequest beside its memories.
type BatchStoreOptions struct {
	Index string
}

// SearchOptions are the fields of a SearchRequest and of its filter, beside the text of the query.
type SearchOptions struct {
	Index string

	// UserID or AllUsers is required.
	UserID            string
	AllUsers          bool
	SessionIDs        []string
	Roles             []Role
	StartTime         time.Time
	EndTime           time.Time
	AnyLabels         []string
	AllLabels         []string
	ExcludeSessionIDs []string

	QueryEmbedding  []float32
	EmbeddingModel  string
	K               uint32
	MinScore        *float32
	Mode            SearchMode
	TextWeight      *float32
	NeighborWeight  float32
	RecencyHalfLife time.Duration
	RecencyWeight   *float32
	Diversity       float32
	ExcludeIDs      []string
	ContextBefore   uint32
	ContextAfter    uint32
	Consistency     Consistency
	EfRuntime       uint32
	AllowDegraded   bool

	// Summary is filled in after the last hit, unless it is nil.
	Summary *pb.SearchSummary
}

// ListOptions are the fields of a ListRequest and of its filter.
type ListOptions struct {
	Index string

	// UserID or AllUsers is required.
	UserID            string
	AllUsers          bool
	SessionIDs        []string
	Roles             []Role
	StartTime         time.Time
	EndTime           time.Time
	AnyLabels         []string
	AllLabels         []string
	ExcludeSessionIDs []string

	Order             ListOrder
	PageSize          uint32
	PageToken         string
	IncludeEmbeddings bool
}

// DeleteMatchingOptions are the fields of a DeleteMatchingRequest and of its filter.
type DeleteMatchingOptions struct {
	Index string

	// UserID or AllUsers is required.
	UserID            string
	AllUsers          bool
	SessionIDs        []string
	Roles             []Role
	StartTime         time.Time
	EndTime           time.Time
	AnyLabels         []string
	AllLabels         []string
	ExcludeSessionIDs []string

	DryRun bool
}

// GetOptions are the fields of a GetRequest beside the id. UserID or AllUsers is required.
type GetOptions struct {
	Index    string
	UserID   string
	AllUsers bool
}

// DeleteOptions are the fields of a DeleteRequest beside the ids. UserID or AllUsers is required.
type DeleteOptions struct {
	Index    string
	UserID   string
	AllUsers bool
}

// EnsureIndexOptions are the fields of an EnsureIndexRequest beside the name.
type EnsureIndexOptions struct {
	Dimension      uint32
	EmbeddingModel string
	Algorithms     []Algorithm
	Layout         Layout
}

// DropIndexOptions are the fields of a DropIndexRequest beside the name.
type DropIndexOptions struct {
	DeleteMemories bool
}
