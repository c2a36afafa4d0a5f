export { connect, Hits, type CallOptions, type ConnectOptions, type MemoryClient } from "./client.js";
export { pack, unpack } from "./embeddings.js";
export { MemoryError } from "./errors.js";
export * from "./generated/semantic_memory/v1/error_reason_pb.js";
export * from "./generated/semantic_memory/v1/index_pb.js";
export * from "./generated/semantic_memory/v1/memory_pb.js";
export * from "./generated/semantic_memory/v1/memory_service_pb.js";
