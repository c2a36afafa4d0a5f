import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Algorithm, Layout } from "./generated/semantic_memory/v1/index_pb.js";
import type { MemoryFilterSchema, Role } from "./generated/semantic_memory/v1/memory_pb.js";
import type { Consistency, ListOrder, SearchMode } from "./generated/semantic_memory/v1/memory_service_pb.js";

// Names and meaning of these fields are those of the request messages: see docs/reference.md. The fields of MemoryFilter
// stand beside those of the request. A field that is missing is not sent, so the server's default applies.

export type RoleLike = Role | "user" | "assistant" | "system" | "tool";
export type SearchModeLike = SearchMode | "vector" | "text" | "hybrid";
export type ConsistencyLike = Consistency | "complete" | "partial";
export type ListOrderLike = ListOrder | "oldest_first" | "newest_first";
export type AlgorithmLike = Algorithm | "hnsw" | "flat";
export type LayoutLike = Layout | "json" | "hash";
/** A Timestamp has microseconds, a Date has milliseconds. */
export type TimeLike = Date | Timestamp;
/** Numbers, or the result of `pack`. */
export type EmbeddingLike = readonly number[] | Float32Array | Uint8Array;

export interface CallOptions {
  /** The deadline of the call. Default: `timeoutMs` of `connect`. */
  timeoutMs?: number;
  /** Ends the call, here and on the server. */
  signal?: AbortSignal;
}

interface IndexOption {
  /** Default: the server's default index. */
  index?: string;
}

/** The user whose memories they are, or all users. One of the two is required. */
interface ScopeOptions {
  userId?: string;
  allUsers?: boolean;
}

export interface FilterOptions extends ScopeOptions {
  sessionIds?: readonly string[];
  roles?: readonly RoleLike[];
  /** The first time of the range. */
  startTime?: TimeLike;
  /** The first time after the range. */
  endTime?: TimeLike;
  anyLabels?: readonly string[];
  allLabels?: readonly string[];
  excludeSessionIds?: readonly string[];
  /** The filter as a message, instead of its fields. */
  filter?: MessageInitShape<typeof MemoryFilterSchema>;
}

/** A memory to be stored, without its content. */
interface MemoryOptions {
  userId?: string;
  sessionId?: string;
  role?: RoleLike;
  timestamp?: TimeLike;
  id?: string;
  requestId?: string;
  /** Milliseconds after which the memory expires. */
  ttlMs?: number;
  expireTime?: TimeLike;
  embedding?: EmbeddingLike;
  embeddingModel?: string;
  labels?: readonly string[];
  metadata?: Readonly<Record<string, string>>;
  nearDuplicateMinScore?: number;
}

export interface StoreOptions extends MemoryOptions, IndexOption, CallOptions {}

/** One memory of a batch. */
export interface NewMemory extends MemoryOptions {
  content: string;
}

export interface BatchStoreOptions extends IndexOption, CallOptions {}

export interface SearchOptions extends FilterOptions, IndexOption, CallOptions {
  queryEmbedding?: EmbeddingLike;
  embeddingModel?: string;
  k?: number;
  minScore?: number;
  mode?: SearchModeLike;
  textWeight?: number;
  neighborWeight?: number;
  recency?: { halfLifeMs: number; weight?: number };
  diversity?: number;
  excludeIds?: readonly string[];
  context?: { before?: number; after?: number };
  consistency?: ConsistencyLike;
  efRuntime?: number;
  allowDegraded?: boolean;
}

export interface ListOptions extends FilterOptions, IndexOption, CallOptions {
  order?: ListOrderLike;
  pageSize?: number;
  pageToken?: string;
  includeEmbeddings?: boolean;
}

export interface DeleteMatchingOptions extends FilterOptions, IndexOption, CallOptions {
  dryRun?: boolean;
}

export interface GetOptions extends ScopeOptions, IndexOption, CallOptions {}

export interface DeleteOptions extends ScopeOptions, IndexOption, CallOptions {}

export interface EnsureIndexOptions extends CallOptions {
  dimension?: number;
  embeddingModel?: string;
  algorithms?: readonly AlgorithmLike[];
  layout?: LayoutLike;
}

export interface DropIndexOptions extends CallOptions {
  deleteMemories?: boolean;
}
