import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type * as pb from "./generated/semantic_memory/v1/memory_service_pb.js";
import type { Hits } from "./hits.js";
import type {
  BatchStoreOptions,
  CallOptions,
  DeleteMatchingOptions,
  DeleteOptions,
  DropIndexOptions,
  EnsureIndexOptions,
  GetOptions,
  ListOptions,
  NewMemory,
  SearchOptions,
  StoreOptions,
} from "./options.js";

type Methods = (typeof pb.MemoryService)["method"];
export type MethodCall<M extends DescMethod> = (
  request: MessageInitShape<M["input"]>,
  options?: CallOptions,
) => Promise<MessageShape<M["output"]>>;

/** The RPCs of MemoryService, with their requests. */
type RequestCalls = { readonly [Name in Exclude<keyof Methods, "search">]: MethodCall<Methods[Name]> } & {
  search(request: MessageInitShape<Methods["search"]["input"]>, options?: CallOptions): Hits;
};

/** The RPCs of MemoryService, with the fields of their requests as options. */
interface OptionCalls {
  store(content: string, options?: StoreOptions): Promise<pb.StoreResponse>;
  /** Stores up to 100 memories. The response has a result for each. */
  batchStore(memories: readonly NewMemory[], options?: BatchStoreOptions): Promise<pb.BatchStoreResponse>;
  /** Hits, best first. Leaving the loop early ends the search on the server too. */
  search(queryText: string, options?: SearchOptions): Hits;
  get(id: string, options?: GetOptions): Promise<pb.GetResponse>;
  /** One page of the memories that match the filter, oldest first. */
  list(options?: ListOptions): Promise<pb.ListResponse>;
  delete(ids: string | readonly string[], options?: DeleteOptions): Promise<pb.DeleteResponse>;
  /** Deletes the memories that match the filter, or counts them with `dryRun`. */
  deleteMatching(options?: DeleteMatchingOptions): Promise<pb.DeleteMatchingResponse>;
  /** Creates an index, or checks that the existing one has these properties. "" is the server's default index. */
  ensureIndex(index?: string, options?: EnsureIndexOptions): Promise<pb.EnsureIndexResponse>;
  listIndexes(options?: CallOptions): Promise<pb.ListIndexesResponse>;
  getIndex(index?: string, options?: CallOptions): Promise<pb.GetIndexResponse>;
  /** Removes an index and, with `deleteMemories`, its memories. */
  dropIndex(index: string, options?: DropIndexOptions): Promise<pb.DropIndexResponse>;
}

/**
 * Calls MemoryService. Each method takes the fields of its request as options, or the request itself:
 *
 *     memories.search("When do we release?", { userId: "me", k: 5 })
 *     memories.search({ queryText: "When do we release?", filter: { userId: "me" }, k: 5 })
 *
 * A failed call throws a MemoryError, and a wrong option a TypeError.
 */
export type MemoryClient = RequestCalls & OptionCalls & {
  /** Calls any unary RPC of the server, such as Check of the health service. */
  unary<M extends DescMethod>(method: M): MethodCall<M>;
  /** Calls any RPC that streams its responses, such as Watch of the health service. */
  stream<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    options?: CallOptions,
  ): AsyncGenerator<MessageShape<M["output"]>, void>;
  /** Closes the connection and ends the calls on it. */
  close(): void;
};
