package dev.semanticmemory.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * MemoryService stores chat messages with their embeddings and finds them again by meaning.
 * Every error of this service carries a google.rpc.ErrorInfo whose reason is an ErrorReason. Errors that gRPC itself
 * raises do not: a request above 4 MiB is RESOURCE_EXHAUSTED without details. Each RPC can fail with INVALID_ARGUMENT
 * (the request breaks a rule written here; nothing was done), UNAVAILABLE and RESOURCE_EXHAUSTED (with a
 * google.rpc.RetryInfo where a retry can help), DEADLINE_EXCEEDED, and INTERNAL (a bug of the server). A call without a
 * deadline gets the server's default, 30 seconds unless configured otherwise.
 * Any number of servers may share one engine. OK holds for the index as it is when the call returns, whichever server
 * changed it last. Only EnsureIndex creates an index. No message of a response exceeds 4 MiB.
 * Where the server is configured to know its callers, each call shows an API key or a JSON Web Token in its metadata,
 * `authorization: Bearer …`, or fails with UNAUTHENTICATED. What the caller has no right to, or not for the users that
 * it names, fails with PERMISSION_DENIED, whether these users and memories exist or not: Search, List and Get need the
 * right to read; Store and BatchStore to write, and with near_duplicate_min_score to read; Delete and DeleteMatching to
 * delete; EnsureIndex and DropIndex to administer, with a scope of every user; all_users, GetIndex and ListIndexes a
 * scope of every user.
 * Where a request has an `index` and leaves it empty, the server's default index is meant ("memory_idx" unless
 * configured otherwise).
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class MemoryServiceGrpc {

  private MemoryServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "semantic_memory.v1.MemoryService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.EnsureIndexRequest,
      dev.semanticmemory.v1.EnsureIndexResponse> getEnsureIndexMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "EnsureIndex",
      requestType = dev.semanticmemory.v1.EnsureIndexRequest.class,
      responseType = dev.semanticmemory.v1.EnsureIndexResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.EnsureIndexRequest,
      dev.semanticmemory.v1.EnsureIndexResponse> getEnsureIndexMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.EnsureIndexRequest, dev.semanticmemory.v1.EnsureIndexResponse> getEnsureIndexMethod;
    if ((getEnsureIndexMethod = MemoryServiceGrpc.getEnsureIndexMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getEnsureIndexMethod = MemoryServiceGrpc.getEnsureIndexMethod) == null) {
          MemoryServiceGrpc.getEnsureIndexMethod = getEnsureIndexMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.EnsureIndexRequest, dev.semanticmemory.v1.EnsureIndexResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "EnsureIndex"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.EnsureIndexRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.EnsureIndexResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("EnsureIndex"))
              .build();
        }
      }
    }
    return getEnsureIndexMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.StoreRequest,
      dev.semanticmemory.v1.StoreResponse> getStoreMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Store",
      requestType = dev.semanticmemory.v1.StoreRequest.class,
      responseType = dev.semanticmemory.v1.StoreResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.StoreRequest,
      dev.semanticmemory.v1.StoreResponse> getStoreMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.StoreRequest, dev.semanticmemory.v1.StoreResponse> getStoreMethod;
    if ((getStoreMethod = MemoryServiceGrpc.getStoreMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getStoreMethod = MemoryServiceGrpc.getStoreMethod) == null) {
          MemoryServiceGrpc.getStoreMethod = getStoreMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.StoreRequest, dev.semanticmemory.v1.StoreResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Store"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.StoreRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.StoreResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("Store"))
              .build();
        }
      }
    }
    return getStoreMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.BatchStoreRequest,
      dev.semanticmemory.v1.BatchStoreResponse> getBatchStoreMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "BatchStore",
      requestType = dev.semanticmemory.v1.BatchStoreRequest.class,
      responseType = dev.semanticmemory.v1.BatchStoreResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.BatchStoreRequest,
      dev.semanticmemory.v1.BatchStoreResponse> getBatchStoreMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.BatchStoreRequest, dev.semanticmemory.v1.BatchStoreResponse> getBatchStoreMethod;
    if ((getBatchStoreMethod = MemoryServiceGrpc.getBatchStoreMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getBatchStoreMethod = MemoryServiceGrpc.getBatchStoreMethod) == null) {
          MemoryServiceGrpc.getBatchStoreMethod = getBatchStoreMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.BatchStoreRequest, dev.semanticmemory.v1.BatchStoreResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "BatchStore"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.BatchStoreRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.BatchStoreResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("BatchStore"))
              .build();
        }
      }
    }
    return getBatchStoreMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.SearchRequest,
      dev.semanticmemory.v1.SearchResponse> getSearchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Search",
      requestType = dev.semanticmemory.v1.SearchRequest.class,
      responseType = dev.semanticmemory.v1.SearchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.SearchRequest,
      dev.semanticmemory.v1.SearchResponse> getSearchMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.SearchRequest, dev.semanticmemory.v1.SearchResponse> getSearchMethod;
    if ((getSearchMethod = MemoryServiceGrpc.getSearchMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getSearchMethod = MemoryServiceGrpc.getSearchMethod) == null) {
          MemoryServiceGrpc.getSearchMethod = getSearchMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.SearchRequest, dev.semanticmemory.v1.SearchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Search"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.SearchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.SearchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("Search"))
              .build();
        }
      }
    }
    return getSearchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.DeleteRequest,
      dev.semanticmemory.v1.DeleteResponse> getDeleteMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Delete",
      requestType = dev.semanticmemory.v1.DeleteRequest.class,
      responseType = dev.semanticmemory.v1.DeleteResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.DeleteRequest,
      dev.semanticmemory.v1.DeleteResponse> getDeleteMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.DeleteRequest, dev.semanticmemory.v1.DeleteResponse> getDeleteMethod;
    if ((getDeleteMethod = MemoryServiceGrpc.getDeleteMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getDeleteMethod = MemoryServiceGrpc.getDeleteMethod) == null) {
          MemoryServiceGrpc.getDeleteMethod = getDeleteMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.DeleteRequest, dev.semanticmemory.v1.DeleteResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Delete"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.DeleteRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.DeleteResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("Delete"))
              .build();
        }
      }
    }
    return getDeleteMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.GetRequest,
      dev.semanticmemory.v1.GetResponse> getGetMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Get",
      requestType = dev.semanticmemory.v1.GetRequest.class,
      responseType = dev.semanticmemory.v1.GetResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.GetRequest,
      dev.semanticmemory.v1.GetResponse> getGetMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.GetRequest, dev.semanticmemory.v1.GetResponse> getGetMethod;
    if ((getGetMethod = MemoryServiceGrpc.getGetMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getGetMethod = MemoryServiceGrpc.getGetMethod) == null) {
          MemoryServiceGrpc.getGetMethod = getGetMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.GetRequest, dev.semanticmemory.v1.GetResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Get"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.GetRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.GetResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("Get"))
              .build();
        }
      }
    }
    return getGetMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.ListRequest,
      dev.semanticmemory.v1.ListResponse> getListMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "List",
      requestType = dev.semanticmemory.v1.ListRequest.class,
      responseType = dev.semanticmemory.v1.ListResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.ListRequest,
      dev.semanticmemory.v1.ListResponse> getListMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.ListRequest, dev.semanticmemory.v1.ListResponse> getListMethod;
    if ((getListMethod = MemoryServiceGrpc.getListMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getListMethod = MemoryServiceGrpc.getListMethod) == null) {
          MemoryServiceGrpc.getListMethod = getListMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.ListRequest, dev.semanticmemory.v1.ListResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "List"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.ListRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.ListResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("List"))
              .build();
        }
      }
    }
    return getListMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.DeleteMatchingRequest,
      dev.semanticmemory.v1.DeleteMatchingResponse> getDeleteMatchingMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteMatching",
      requestType = dev.semanticmemory.v1.DeleteMatchingRequest.class,
      responseType = dev.semanticmemory.v1.DeleteMatchingResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.DeleteMatchingRequest,
      dev.semanticmemory.v1.DeleteMatchingResponse> getDeleteMatchingMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.DeleteMatchingRequest, dev.semanticmemory.v1.DeleteMatchingResponse> getDeleteMatchingMethod;
    if ((getDeleteMatchingMethod = MemoryServiceGrpc.getDeleteMatchingMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getDeleteMatchingMethod = MemoryServiceGrpc.getDeleteMatchingMethod) == null) {
          MemoryServiceGrpc.getDeleteMatchingMethod = getDeleteMatchingMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.DeleteMatchingRequest, dev.semanticmemory.v1.DeleteMatchingResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteMatching"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.DeleteMatchingRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.DeleteMatchingResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("DeleteMatching"))
              .build();
        }
      }
    }
    return getDeleteMatchingMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.ListIndexesRequest,
      dev.semanticmemory.v1.ListIndexesResponse> getListIndexesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListIndexes",
      requestType = dev.semanticmemory.v1.ListIndexesRequest.class,
      responseType = dev.semanticmemory.v1.ListIndexesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.ListIndexesRequest,
      dev.semanticmemory.v1.ListIndexesResponse> getListIndexesMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.ListIndexesRequest, dev.semanticmemory.v1.ListIndexesResponse> getListIndexesMethod;
    if ((getListIndexesMethod = MemoryServiceGrpc.getListIndexesMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getListIndexesMethod = MemoryServiceGrpc.getListIndexesMethod) == null) {
          MemoryServiceGrpc.getListIndexesMethod = getListIndexesMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.ListIndexesRequest, dev.semanticmemory.v1.ListIndexesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListIndexes"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.ListIndexesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.ListIndexesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("ListIndexes"))
              .build();
        }
      }
    }
    return getListIndexesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.GetIndexRequest,
      dev.semanticmemory.v1.GetIndexResponse> getGetIndexMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetIndex",
      requestType = dev.semanticmemory.v1.GetIndexRequest.class,
      responseType = dev.semanticmemory.v1.GetIndexResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.GetIndexRequest,
      dev.semanticmemory.v1.GetIndexResponse> getGetIndexMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.GetIndexRequest, dev.semanticmemory.v1.GetIndexResponse> getGetIndexMethod;
    if ((getGetIndexMethod = MemoryServiceGrpc.getGetIndexMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getGetIndexMethod = MemoryServiceGrpc.getGetIndexMethod) == null) {
          MemoryServiceGrpc.getGetIndexMethod = getGetIndexMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.GetIndexRequest, dev.semanticmemory.v1.GetIndexResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetIndex"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.GetIndexRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.GetIndexResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("GetIndex"))
              .build();
        }
      }
    }
    return getGetIndexMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.semanticmemory.v1.DropIndexRequest,
      dev.semanticmemory.v1.DropIndexResponse> getDropIndexMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DropIndex",
      requestType = dev.semanticmemory.v1.DropIndexRequest.class,
      responseType = dev.semanticmemory.v1.DropIndexResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.semanticmemory.v1.DropIndexRequest,
      dev.semanticmemory.v1.DropIndexResponse> getDropIndexMethod() {
    io.grpc.MethodDescriptor<dev.semanticmemory.v1.DropIndexRequest, dev.semanticmemory.v1.DropIndexResponse> getDropIndexMethod;
    if ((getDropIndexMethod = MemoryServiceGrpc.getDropIndexMethod) == null) {
      synchronized (MemoryServiceGrpc.class) {
        if ((getDropIndexMethod = MemoryServiceGrpc.getDropIndexMethod) == null) {
          MemoryServiceGrpc.getDropIndexMethod = getDropIndexMethod =
              io.grpc.MethodDescriptor.<dev.semanticmemory.v1.DropIndexRequest, dev.semanticmemory.v1.DropIndexResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DropIndex"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.DropIndexRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.semanticmemory.v1.DropIndexResponse.getDefaultInstance()))
              .setSchemaDescriptor(new MemoryServiceMethodDescriptorSupplier("DropIndex"))
              .build();
        }
      }
    }
    return getDropIndexMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static MemoryServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<MemoryServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<MemoryServiceStub>() {
        @java.lang.Override
        public MemoryServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new MemoryServiceStub(channel, callOptions);
        }
      };
    return MemoryServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static MemoryServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<MemoryServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<MemoryServiceBlockingV2Stub>() {
        @java.lang.Override
        public MemoryServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new MemoryServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return MemoryServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static MemoryServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<MemoryServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<MemoryServiceBlockingStub>() {
        @java.lang.Override
        public MemoryServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new MemoryServiceBlockingStub(channel, callOptions);
        }
      };
    return MemoryServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static MemoryServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<MemoryServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<MemoryServiceFutureStub>() {
        @java.lang.Override
        public MemoryServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new MemoryServiceFutureStub(channel, callOptions);
        }
      };
    return MemoryServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * MemoryService stores chat messages with their embeddings and finds them again by meaning.
   * Every error of this service carries a google.rpc.ErrorInfo whose reason is an ErrorReason. Errors that gRPC itself
   * raises do not: a request above 4 MiB is RESOURCE_EXHAUSTED without details. Each RPC can fail with INVALID_ARGUMENT
   * (the request breaks a rule written here; nothing was done), UNAVAILABLE and RESOURCE_EXHAUSTED (with a
   * google.rpc.RetryInfo where a retry can help), DEADLINE_EXCEEDED, and INTERNAL (a bug of the server). A call without a
   * deadline gets the server's default, 30 seconds unless configured otherwise.
   * Any number of servers may share one engine. OK holds for the index as it is when the call returns, whichever server
   * changed it last. Only EnsureIndex creates an index. No message of a response exceeds 4 MiB.
   * Where the server is configured to know its callers, each call shows an API key or a JSON Web Token in its metadata,
   * `authorization: Bearer …`, or fails with UNAUTHENTICATED. What the caller has no right to, or not for the users that
   * it names, fails with PERMISSION_DENIED, whether these users and memories exist or not: Search, List and Get need the
   * right to read; Store and BatchStore to write, and with near_duplicate_min_score to read; Delete and DeleteMatching to
   * delete; EnsureIndex and DropIndex to administer, with a scope of every user; all_users, GetIndex and ListIndexes a
   * scope of every user.
   * Where a request has an `index` and leaves it empty, the server's default index is meant ("memory_idx" unless
   * configured otherwise).
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * EnsureIndex creates an index, or checks that the existing one is what was asked for, and returns once it is
     * queryable. Idempotent: any number of callers at once succeed.
     * FAILED_PRECONDITION (INDEX_DIFFERS): the index exists with another dimension, metric, algorithm, layout, field or
     * embedding model; every difference is listed. An index made by other software over the same documents is adopted when it fits.
     * </pre>
     */
    default void ensureIndex(dev.semanticmemory.v1.EnsureIndexRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.EnsureIndexResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getEnsureIndexMethod(), responseObserver);
    }

    /**
     * <pre>
     * Store writes one memory, with the embedding that the server makes of its content or that the caller gives. OK
     * means that the engine has acknowledged the write; the memory is searchable at once.
     * With `id` or `request_id` a repeated Store is safe: the same memory gives the same answer with `already_stored`.
     * Without them each call makes a new memory.
     * A memory with a ttl or an expire_time is never returned, listed, counted or ranked once it has expired. Its data
     * leaves the engine then, or within a minute if a fault interrupted the Store.
     * ALREADY_EXISTS (MEMORY_EXISTS): the id or request_id is taken by a memory that differs. NOT_FOUND
     * (INDEX_NOT_FOUND): call EnsureIndex first. FAILED_PRECONDITION (MODEL_MISMATCH): the index belongs to another
     * embedding model.
     * </pre>
     */
    default void store(dev.semanticmemory.v1.StoreRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.StoreResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getStoreMethod(), responseObserver);
    }

    /**
     * <pre>
     * BatchStore stores up to 100 memories and returns a result for each, in the order of the request: one that fails does
     * not lose the others. Each is stored as by Store, and with ids a repeated BatchStore is safe. Memories without a
     * timestamp get strictly increasing ones, in the order of the request. When the deadline passes during the call, what
     * was stored by then stays stored.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store.
     * </pre>
     */
    default void batchStore(dev.semanticmemory.v1.BatchStoreRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.BatchStoreResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getBatchStoreMethod(), responseObserver);
    }

    /**
     * <pre>
     * Search streams the memories nearest to a text or an embedding, best first. Hits come in chunks, which joined are
     * the whole answer; the last message carries the summary and nothing follows it. A search that finds nothing sends
     * the summary alone. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store. FAILED_PRECONDITION
     * (INDEX_LACKS_FIELDS): labels, TEXT or HYBRID over an index that other software made without the fields for them.
     * </pre>
     */
    default void search(dev.semanticmemory.v1.SearchRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.SearchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSearchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Delete removes memories by id and tells which were there. Idempotent: what is gone already is reported as missing,
     * and so is another user's memory. OK means that no later Search or Get returns the deleted ones.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    default void delete(dev.semanticmemory.v1.DeleteRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DeleteResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteMethod(), responseObserver);
    }

    /**
     * <pre>
     * Get returns one memory by id. Idempotent.
     * NOT_FOUND (MEMORY_NOT_FOUND): no such memory, or it is another user's. NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    default void get(dev.semanticmemory.v1.GetRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.GetResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetMethod(), responseObserver);
    }

    /**
     * <pre>
     * List returns memories in the order of their timestamps (then of their ids), page by page. Every memory that exists
     * from the first page to the last is returned once, whatever is added or removed meanwhile; one that is added appears
     * if its place in the order has not been passed. Idempotent.
     * Documents of other software whose timestamp lies outside the years 1 to 9999 are left out.
     * INVALID_ARGUMENT: a page token that this service did not make, or made for another index, filter or order.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    default void list(dev.semanticmemory.v1.ListRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.ListResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListMethod(), responseObserver);
    }

    /**
     * <pre>
     * DeleteMatching deletes every memory that passes a filter, in bounded steps, or with `dry_run` counts them. After a
     * failure or a deadline what was deleted stays deleted: repeat the call until it succeeds. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    default void deleteMatching(dev.semanticmemory.v1.DeleteMatchingRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DeleteMatchingResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteMatchingMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListIndexes describes every index of this service, in the order of their names. Idempotent.
     * </pre>
     */
    default void listIndexes(dev.semanticmemory.v1.ListIndexesRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.ListIndexesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListIndexesMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetIndex describes one index. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    default void getIndex(dev.semanticmemory.v1.GetIndexRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.GetIndexResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetIndexMethod(), responseObserver);
    }

    /**
     * <pre>
     * DropIndex removes an index, and its memories only when told to: an index that is made again over kept memories finds
     * them all. After a failure, repeat the call.
     * From the moment a DropIndex begins, other calls fail with INDEX_NOT_FOUND. One that is interrupted is finished by the
     * next DropIndex or EnsureIndex of that index. With delete_memories only documents of this index are deleted: other
     * keys under its prefix stay, and `kept_key_count` counts them.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    default void dropIndex(dev.semanticmemory.v1.DropIndexRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DropIndexResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDropIndexMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service MemoryService.
   * <pre>
   * MemoryService stores chat messages with their embeddings and finds them again by meaning.
   * Every error of this service carries a google.rpc.ErrorInfo whose reason is an ErrorReason. Errors that gRPC itself
   * raises do not: a request above 4 MiB is RESOURCE_EXHAUSTED without details. Each RPC can fail with INVALID_ARGUMENT
   * (the request breaks a rule written here; nothing was done), UNAVAILABLE and RESOURCE_EXHAUSTED (with a
   * google.rpc.RetryInfo where a retry can help), DEADLINE_EXCEEDED, and INTERNAL (a bug of the server). A call without a
   * deadline gets the server's default, 30 seconds unless configured otherwise.
   * Any number of servers may share one engine. OK holds for the index as it is when the call returns, whichever server
   * changed it last. Only EnsureIndex creates an index. No message of a response exceeds 4 MiB.
   * Where the server is configured to know its callers, each call shows an API key or a JSON Web Token in its metadata,
   * `authorization: Bearer …`, or fails with UNAUTHENTICATED. What the caller has no right to, or not for the users that
   * it names, fails with PERMISSION_DENIED, whether these users and memories exist or not: Search, List and Get need the
   * right to read; Store and BatchStore to write, and with near_duplicate_min_score to read; Delete and DeleteMatching to
   * delete; EnsureIndex and DropIndex to administer, with a scope of every user; all_users, GetIndex and ListIndexes a
   * scope of every user.
   * Where a request has an `index` and leaves it empty, the server's default index is meant ("memory_idx" unless
   * configured otherwise).
   * </pre>
   */
  public static abstract class MemoryServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return MemoryServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service MemoryService.
   * <pre>
   * MemoryService stores chat messages with their embeddings and finds them again by meaning.
   * Every error of this service carries a google.rpc.ErrorInfo whose reason is an ErrorReason. Errors that gRPC itself
   * raises do not: a request above 4 MiB is RESOURCE_EXHAUSTED without details. Each RPC can fail with INVALID_ARGUMENT
   * (the request breaks a rule written here; nothing was done), UNAVAILABLE and RESOURCE_EXHAUSTED (with a
   * google.rpc.RetryInfo where a retry can help), DEADLINE_EXCEEDED, and INTERNAL (a bug of the server). A call without a
   * deadline gets the server's default, 30 seconds unless configured otherwise.
   * Any number of servers may share one engine. OK holds for the index as it is when the call returns, whichever server
   * changed it last. Only EnsureIndex creates an index. No message of a response exceeds 4 MiB.
   * Where the server is configured to know its callers, each call shows an API key or a JSON Web Token in its metadata,
   * `authorization: Bearer …`, or fails with UNAUTHENTICATED. What the caller has no right to, or not for the users that
   * it names, fails with PERMISSION_DENIED, whether these users and memories exist or not: Search, List and Get need the
   * right to read; Store and BatchStore to write, and with near_duplicate_min_score to read; Delete and DeleteMatching to
   * delete; EnsureIndex and DropIndex to administer, with a scope of every user; all_users, GetIndex and ListIndexes a
   * scope of every user.
   * Where a request has an `index` and leaves it empty, the server's default index is meant ("memory_idx" unless
   * configured otherwise).
   * </pre>
   */
  public static final class MemoryServiceStub
      extends io.grpc.stub.AbstractAsyncStub<MemoryServiceStub> {
    private MemoryServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected MemoryServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new MemoryServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * EnsureIndex creates an index, or checks that the existing one is what was asked for, and returns once it is
     * queryable. Idempotent: any number of callers at once succeed.
     * FAILED_PRECONDITION (INDEX_DIFFERS): the index exists with another dimension, metric, algorithm, layout, field or
     * embedding model; every difference is listed. An index made by other software over the same documents is adopted when it fits.
     * </pre>
     */
    public void ensureIndex(dev.semanticmemory.v1.EnsureIndexRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.EnsureIndexResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getEnsureIndexMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Store writes one memory, with the embedding that the server makes of its content or that the caller gives. OK
     * means that the engine has acknowledged the write; the memory is searchable at once.
     * With `id` or `request_id` a repeated Store is safe: the same memory gives the same answer with `already_stored`.
     * Without them each call makes a new memory.
     * A memory with a ttl or an expire_time is never returned, listed, counted or ranked once it has expired. Its data
     * leaves the engine then, or within a minute if a fault interrupted the Store.
     * ALREADY_EXISTS (MEMORY_EXISTS): the id or request_id is taken by a memory that differs. NOT_FOUND
     * (INDEX_NOT_FOUND): call EnsureIndex first. FAILED_PRECONDITION (MODEL_MISMATCH): the index belongs to another
     * embedding model.
     * </pre>
     */
    public void store(dev.semanticmemory.v1.StoreRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.StoreResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getStoreMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * BatchStore stores up to 100 memories and returns a result for each, in the order of the request: one that fails does
     * not lose the others. Each is stored as by Store, and with ids a repeated BatchStore is safe. Memories without a
     * timestamp get strictly increasing ones, in the order of the request. When the deadline passes during the call, what
     * was stored by then stays stored.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store.
     * </pre>
     */
    public void batchStore(dev.semanticmemory.v1.BatchStoreRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.BatchStoreResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getBatchStoreMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Search streams the memories nearest to a text or an embedding, best first. Hits come in chunks, which joined are
     * the whole answer; the last message carries the summary and nothing follows it. A search that finds nothing sends
     * the summary alone. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store. FAILED_PRECONDITION
     * (INDEX_LACKS_FIELDS): labels, TEXT or HYBRID over an index that other software made without the fields for them.
     * </pre>
     */
    public void search(dev.semanticmemory.v1.SearchRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.SearchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getSearchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Delete removes memories by id and tells which were there. Idempotent: what is gone already is reported as missing,
     * and so is another user's memory. OK means that no later Search or Get returns the deleted ones.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public void delete(dev.semanticmemory.v1.DeleteRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DeleteResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Get returns one memory by id. Idempotent.
     * NOT_FOUND (MEMORY_NOT_FOUND): no such memory, or it is another user's. NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public void get(dev.semanticmemory.v1.GetRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.GetResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * List returns memories in the order of their timestamps (then of their ids), page by page. Every memory that exists
     * from the first page to the last is returned once, whatever is added or removed meanwhile; one that is added appears
     * if its place in the order has not been passed. Idempotent.
     * Documents of other software whose timestamp lies outside the years 1 to 9999 are left out.
     * INVALID_ARGUMENT: a page token that this service did not make, or made for another index, filter or order.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    public void list(dev.semanticmemory.v1.ListRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.ListResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * DeleteMatching deletes every memory that passes a filter, in bounded steps, or with `dry_run` counts them. After a
     * failure or a deadline what was deleted stays deleted: repeat the call until it succeeds. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    public void deleteMatching(dev.semanticmemory.v1.DeleteMatchingRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DeleteMatchingResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteMatchingMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListIndexes describes every index of this service, in the order of their names. Idempotent.
     * </pre>
     */
    public void listIndexes(dev.semanticmemory.v1.ListIndexesRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.ListIndexesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListIndexesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetIndex describes one index. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public void getIndex(dev.semanticmemory.v1.GetIndexRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.GetIndexResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetIndexMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * DropIndex removes an index, and its memories only when told to: an index that is made again over kept memories finds
     * them all. After a failure, repeat the call.
     * From the moment a DropIndex begins, other calls fail with INDEX_NOT_FOUND. One that is interrupted is finished by the
     * next DropIndex or EnsureIndex of that index. With delete_memories only documents of this index are deleted: other
     * keys under its prefix stay, and `kept_key_count` counts them.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public void dropIndex(dev.semanticmemory.v1.DropIndexRequest request,
        io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DropIndexResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDropIndexMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service MemoryService.
   * <pre>
   * MemoryService stores chat messages with their embeddings and finds them again by meaning.
   * Every error of this service carries a google.rpc.ErrorInfo whose reason is an ErrorReason. Errors that gRPC itself
   * raises do not: a request above 4 MiB is RESOURCE_EXHAUSTED without details. Each RPC can fail with INVALID_ARGUMENT
   * (the request breaks a rule written here; nothing was done), UNAVAILABLE and RESOURCE_EXHAUSTED (with a
   * google.rpc.RetryInfo where a retry can help), DEADLINE_EXCEEDED, and INTERNAL (a bug of the server). A call without a
   * deadline gets the server's default, 30 seconds unless configured otherwise.
   * Any number of servers may share one engine. OK holds for the index as it is when the call returns, whichever server
   * changed it last. Only EnsureIndex creates an index. No message of a response exceeds 4 MiB.
   * Where the server is configured to know its callers, each call shows an API key or a JSON Web Token in its metadata,
   * `authorization: Bearer …`, or fails with UNAUTHENTICATED. What the caller has no right to, or not for the users that
   * it names, fails with PERMISSION_DENIED, whether these users and memories exist or not: Search, List and Get need the
   * right to read; Store and BatchStore to write, and with near_duplicate_min_score to read; Delete and DeleteMatching to
   * delete; EnsureIndex and DropIndex to administer, with a scope of every user; all_users, GetIndex and ListIndexes a
   * scope of every user.
   * Where a request has an `index` and leaves it empty, the server's default index is meant ("memory_idx" unless
   * configured otherwise).
   * </pre>
   */
  public static final class MemoryServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<MemoryServiceBlockingV2Stub> {
    private MemoryServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected MemoryServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new MemoryServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * EnsureIndex creates an index, or checks that the existing one is what was asked for, and returns once it is
     * queryable. Idempotent: any number of callers at once succeed.
     * FAILED_PRECONDITION (INDEX_DIFFERS): the index exists with another dimension, metric, algorithm, layout, field or
     * embedding model; every difference is listed. An index made by other software over the same documents is adopted when it fits.
     * </pre>
     */
    public dev.semanticmemory.v1.EnsureIndexResponse ensureIndex(dev.semanticmemory.v1.EnsureIndexRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getEnsureIndexMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Store writes one memory, with the embedding that the server makes of its content or that the caller gives. OK
     * means that the engine has acknowledged the write; the memory is searchable at once.
     * With `id` or `request_id` a repeated Store is safe: the same memory gives the same answer with `already_stored`.
     * Without them each call makes a new memory.
     * A memory with a ttl or an expire_time is never returned, listed, counted or ranked once it has expired. Its data
     * leaves the engine then, or within a minute if a fault interrupted the Store.
     * ALREADY_EXISTS (MEMORY_EXISTS): the id or request_id is taken by a memory that differs. NOT_FOUND
     * (INDEX_NOT_FOUND): call EnsureIndex first. FAILED_PRECONDITION (MODEL_MISMATCH): the index belongs to another
     * embedding model.
     * </pre>
     */
    public dev.semanticmemory.v1.StoreResponse store(dev.semanticmemory.v1.StoreRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getStoreMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * BatchStore stores up to 100 memories and returns a result for each, in the order of the request: one that fails does
     * not lose the others. Each is stored as by Store, and with ids a repeated BatchStore is safe. Memories without a
     * timestamp get strictly increasing ones, in the order of the request. When the deadline passes during the call, what
     * was stored by then stays stored.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store.
     * </pre>
     */
    public dev.semanticmemory.v1.BatchStoreResponse batchStore(dev.semanticmemory.v1.BatchStoreRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getBatchStoreMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Search streams the memories nearest to a text or an embedding, best first. Hits come in chunks, which joined are
     * the whole answer; the last message carries the summary and nothing follows it. A search that finds nothing sends
     * the summary alone. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store. FAILED_PRECONDITION
     * (INDEX_LACKS_FIELDS): labels, TEXT or HYBRID over an index that other software made without the fields for them.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.semanticmemory.v1.SearchResponse>
        search(dev.semanticmemory.v1.SearchRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getSearchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Delete removes memories by id and tells which were there. Idempotent: what is gone already is reported as missing,
     * and so is another user's memory. OK means that no later Search or Get returns the deleted ones.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public dev.semanticmemory.v1.DeleteResponse delete(dev.semanticmemory.v1.DeleteRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Get returns one memory by id. Idempotent.
     * NOT_FOUND (MEMORY_NOT_FOUND): no such memory, or it is another user's. NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public dev.semanticmemory.v1.GetResponse get(dev.semanticmemory.v1.GetRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * List returns memories in the order of their timestamps (then of their ids), page by page. Every memory that exists
     * from the first page to the last is returned once, whatever is added or removed meanwhile; one that is added appears
     * if its place in the order has not been passed. Idempotent.
     * Documents of other software whose timestamp lies outside the years 1 to 9999 are left out.
     * INVALID_ARGUMENT: a page token that this service did not make, or made for another index, filter or order.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    public dev.semanticmemory.v1.ListResponse list(dev.semanticmemory.v1.ListRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteMatching deletes every memory that passes a filter, in bounded steps, or with `dry_run` counts them. After a
     * failure or a deadline what was deleted stays deleted: repeat the call until it succeeds. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    public dev.semanticmemory.v1.DeleteMatchingResponse deleteMatching(dev.semanticmemory.v1.DeleteMatchingRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteMatchingMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListIndexes describes every index of this service, in the order of their names. Idempotent.
     * </pre>
     */
    public dev.semanticmemory.v1.ListIndexesResponse listIndexes(dev.semanticmemory.v1.ListIndexesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListIndexesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetIndex describes one index. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public dev.semanticmemory.v1.GetIndexResponse getIndex(dev.semanticmemory.v1.GetIndexRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetIndexMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DropIndex removes an index, and its memories only when told to: an index that is made again over kept memories finds
     * them all. After a failure, repeat the call.
     * From the moment a DropIndex begins, other calls fail with INDEX_NOT_FOUND. One that is interrupted is finished by the
     * next DropIndex or EnsureIndex of that index. With delete_memories only documents of this index are deleted: other
     * keys under its prefix stay, and `kept_key_count` counts them.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public dev.semanticmemory.v1.DropIndexResponse dropIndex(dev.semanticmemory.v1.DropIndexRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDropIndexMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service MemoryService.
   * <pre>
   * MemoryService stores chat messages with their embeddings and finds them again by meaning.
   * Every error of this service carries a google.rpc.ErrorInfo whose reason is an ErrorReason. Errors that gRPC itself
   * raises do not: a request above 4 MiB is RESOURCE_EXHAUSTED without details. Each RPC can fail with INVALID_ARGUMENT
   * (the request breaks a rule written here; nothing was done), UNAVAILABLE and RESOURCE_EXHAUSTED (with a
   * google.rpc.RetryInfo where a retry can help), DEADLINE_EXCEEDED, and INTERNAL (a bug of the server). A call without a
   * deadline gets the server's default, 30 seconds unless configured otherwise.
   * Any number of servers may share one engine. OK holds for the index as it is when the call returns, whichever server
   * changed it last. Only EnsureIndex creates an index. No message of a response exceeds 4 MiB.
   * Where the server is configured to know its callers, each call shows an API key or a JSON Web Token in its metadata,
   * `authorization: Bearer …`, or fails with UNAUTHENTICATED. What the caller has no right to, or not for the users that
   * it names, fails with PERMISSION_DENIED, whether these users and memories exist or not: Search, List and Get need the
   * right to read; Store and BatchStore to write, and with near_duplicate_min_score to read; Delete and DeleteMatching to
   * delete; EnsureIndex and DropIndex to administer, with a scope of every user; all_users, GetIndex and ListIndexes a
   * scope of every user.
   * Where a request has an `index` and leaves it empty, the server's default index is meant ("memory_idx" unless
   * configured otherwise).
   * </pre>
   */
  public static final class MemoryServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<MemoryServiceBlockingStub> {
    private MemoryServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected MemoryServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new MemoryServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * EnsureIndex creates an index, or checks that the existing one is what was asked for, and returns once it is
     * queryable. Idempotent: any number of callers at once succeed.
     * FAILED_PRECONDITION (INDEX_DIFFERS): the index exists with another dimension, metric, algorithm, layout, field or
     * embedding model; every difference is listed. An index made by other software over the same documents is adopted when it fits.
     * </pre>
     */
    public dev.semanticmemory.v1.EnsureIndexResponse ensureIndex(dev.semanticmemory.v1.EnsureIndexRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getEnsureIndexMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Store writes one memory, with the embedding that the server makes of its content or that the caller gives. OK
     * means that the engine has acknowledged the write; the memory is searchable at once.
     * With `id` or `request_id` a repeated Store is safe: the same memory gives the same answer with `already_stored`.
     * Without them each call makes a new memory.
     * A memory with a ttl or an expire_time is never returned, listed, counted or ranked once it has expired. Its data
     * leaves the engine then, or within a minute if a fault interrupted the Store.
     * ALREADY_EXISTS (MEMORY_EXISTS): the id or request_id is taken by a memory that differs. NOT_FOUND
     * (INDEX_NOT_FOUND): call EnsureIndex first. FAILED_PRECONDITION (MODEL_MISMATCH): the index belongs to another
     * embedding model.
     * </pre>
     */
    public dev.semanticmemory.v1.StoreResponse store(dev.semanticmemory.v1.StoreRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getStoreMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * BatchStore stores up to 100 memories and returns a result for each, in the order of the request: one that fails does
     * not lose the others. Each is stored as by Store, and with ids a repeated BatchStore is safe. Memories without a
     * timestamp get strictly increasing ones, in the order of the request. When the deadline passes during the call, what
     * was stored by then stays stored.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store.
     * </pre>
     */
    public dev.semanticmemory.v1.BatchStoreResponse batchStore(dev.semanticmemory.v1.BatchStoreRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getBatchStoreMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Search streams the memories nearest to a text or an embedding, best first. Hits come in chunks, which joined are
     * the whole answer; the last message carries the summary and nothing follows it. A search that finds nothing sends
     * the summary alone. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store. FAILED_PRECONDITION
     * (INDEX_LACKS_FIELDS): labels, TEXT or HYBRID over an index that other software made without the fields for them.
     * </pre>
     */
    public java.util.Iterator<dev.semanticmemory.v1.SearchResponse> search(
        dev.semanticmemory.v1.SearchRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getSearchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Delete removes memories by id and tells which were there. Idempotent: what is gone already is reported as missing,
     * and so is another user's memory. OK means that no later Search or Get returns the deleted ones.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public dev.semanticmemory.v1.DeleteResponse delete(dev.semanticmemory.v1.DeleteRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Get returns one memory by id. Idempotent.
     * NOT_FOUND (MEMORY_NOT_FOUND): no such memory, or it is another user's. NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public dev.semanticmemory.v1.GetResponse get(dev.semanticmemory.v1.GetRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * List returns memories in the order of their timestamps (then of their ids), page by page. Every memory that exists
     * from the first page to the last is returned once, whatever is added or removed meanwhile; one that is added appears
     * if its place in the order has not been passed. Idempotent.
     * Documents of other software whose timestamp lies outside the years 1 to 9999 are left out.
     * INVALID_ARGUMENT: a page token that this service did not make, or made for another index, filter or order.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    public dev.semanticmemory.v1.ListResponse list(dev.semanticmemory.v1.ListRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteMatching deletes every memory that passes a filter, in bounded steps, or with `dry_run` counts them. After a
     * failure or a deadline what was deleted stays deleted: repeat the call until it succeeds. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    public dev.semanticmemory.v1.DeleteMatchingResponse deleteMatching(dev.semanticmemory.v1.DeleteMatchingRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteMatchingMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListIndexes describes every index of this service, in the order of their names. Idempotent.
     * </pre>
     */
    public dev.semanticmemory.v1.ListIndexesResponse listIndexes(dev.semanticmemory.v1.ListIndexesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListIndexesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetIndex describes one index. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public dev.semanticmemory.v1.GetIndexResponse getIndex(dev.semanticmemory.v1.GetIndexRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetIndexMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DropIndex removes an index, and its memories only when told to: an index that is made again over kept memories finds
     * them all. After a failure, repeat the call.
     * From the moment a DropIndex begins, other calls fail with INDEX_NOT_FOUND. One that is interrupted is finished by the
     * next DropIndex or EnsureIndex of that index. With delete_memories only documents of this index are deleted: other
     * keys under its prefix stay, and `kept_key_count` counts them.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public dev.semanticmemory.v1.DropIndexResponse dropIndex(dev.semanticmemory.v1.DropIndexRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDropIndexMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service MemoryService.
   * <pre>
   * MemoryService stores chat messages with their embeddings and finds them again by meaning.
   * Every error of this service carries a google.rpc.ErrorInfo whose reason is an ErrorReason. Errors that gRPC itself
   * raises do not: a request above 4 MiB is RESOURCE_EXHAUSTED without details. Each RPC can fail with INVALID_ARGUMENT
   * (the request breaks a rule written here; nothing was done), UNAVAILABLE and RESOURCE_EXHAUSTED (with a
   * google.rpc.RetryInfo where a retry can help), DEADLINE_EXCEEDED, and INTERNAL (a bug of the server). A call without a
   * deadline gets the server's default, 30 seconds unless configured otherwise.
   * Any number of servers may share one engine. OK holds for the index as it is when the call returns, whichever server
   * changed it last. Only EnsureIndex creates an index. No message of a response exceeds 4 MiB.
   * Where the server is configured to know its callers, each call shows an API key or a JSON Web Token in its metadata,
   * `authorization: Bearer …`, or fails with UNAUTHENTICATED. What the caller has no right to, or not for the users that
   * it names, fails with PERMISSION_DENIED, whether these users and memories exist or not: Search, List and Get need the
   * right to read; Store and BatchStore to write, and with near_duplicate_min_score to read; Delete and DeleteMatching to
   * delete; EnsureIndex and DropIndex to administer, with a scope of every user; all_users, GetIndex and ListIndexes a
   * scope of every user.
   * Where a request has an `index` and leaves it empty, the server's default index is meant ("memory_idx" unless
   * configured otherwise).
   * </pre>
   */
  public static final class MemoryServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<MemoryServiceFutureStub> {
    private MemoryServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected MemoryServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new MemoryServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * EnsureIndex creates an index, or checks that the existing one is what was asked for, and returns once it is
     * queryable. Idempotent: any number of callers at once succeed.
     * FAILED_PRECONDITION (INDEX_DIFFERS): the index exists with another dimension, metric, algorithm, layout, field or
     * embedding model; every difference is listed. An index made by other software over the same documents is adopted when it fits.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.EnsureIndexResponse> ensureIndex(
        dev.semanticmemory.v1.EnsureIndexRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getEnsureIndexMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Store writes one memory, with the embedding that the server makes of its content or that the caller gives. OK
     * means that the engine has acknowledged the write; the memory is searchable at once.
     * With `id` or `request_id` a repeated Store is safe: the same memory gives the same answer with `already_stored`.
     * Without them each call makes a new memory.
     * A memory with a ttl or an expire_time is never returned, listed, counted or ranked once it has expired. Its data
     * leaves the engine then, or within a minute if a fault interrupted the Store.
     * ALREADY_EXISTS (MEMORY_EXISTS): the id or request_id is taken by a memory that differs. NOT_FOUND
     * (INDEX_NOT_FOUND): call EnsureIndex first. FAILED_PRECONDITION (MODEL_MISMATCH): the index belongs to another
     * embedding model.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.StoreResponse> store(
        dev.semanticmemory.v1.StoreRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getStoreMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * BatchStore stores up to 100 memories and returns a result for each, in the order of the request: one that fails does
     * not lose the others. Each is stored as by Store, and with ids a repeated BatchStore is safe. Memories without a
     * timestamp get strictly increasing ones, in the order of the request. When the deadline passes during the call, what
     * was stored by then stays stored.
     * NOT_FOUND (INDEX_NOT_FOUND), FAILED_PRECONDITION (MODEL_MISMATCH) as for Store.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.BatchStoreResponse> batchStore(
        dev.semanticmemory.v1.BatchStoreRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getBatchStoreMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Delete removes memories by id and tells which were there. Idempotent: what is gone already is reported as missing,
     * and so is another user's memory. OK means that no later Search or Get returns the deleted ones.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.DeleteResponse> delete(
        dev.semanticmemory.v1.DeleteRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Get returns one memory by id. Idempotent.
     * NOT_FOUND (MEMORY_NOT_FOUND): no such memory, or it is another user's. NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.GetResponse> get(
        dev.semanticmemory.v1.GetRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * List returns memories in the order of their timestamps (then of their ids), page by page. Every memory that exists
     * from the first page to the last is returned once, whatever is added or removed meanwhile; one that is added appears
     * if its place in the order has not been passed. Idempotent.
     * Documents of other software whose timestamp lies outside the years 1 to 9999 are left out.
     * INVALID_ARGUMENT: a page token that this service did not make, or made for another index, filter or order.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.ListResponse> list(
        dev.semanticmemory.v1.ListRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * DeleteMatching deletes every memory that passes a filter, in bounded steps, or with `dry_run` counts them. After a
     * failure or a deadline what was deleted stays deleted: repeat the call until it succeeds. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index. UNAVAILABLE (INDEX_BACKFILLING): the index does not know them all yet.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.DeleteMatchingResponse> deleteMatching(
        dev.semanticmemory.v1.DeleteMatchingRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteMatchingMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListIndexes describes every index of this service, in the order of their names. Idempotent.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.ListIndexesResponse> listIndexes(
        dev.semanticmemory.v1.ListIndexesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListIndexesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetIndex describes one index. Idempotent.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.GetIndexResponse> getIndex(
        dev.semanticmemory.v1.GetIndexRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetIndexMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * DropIndex removes an index, and its memories only when told to: an index that is made again over kept memories finds
     * them all. After a failure, repeat the call.
     * From the moment a DropIndex begins, other calls fail with INDEX_NOT_FOUND. One that is interrupted is finished by the
     * next DropIndex or EnsureIndex of that index. With delete_memories only documents of this index are deleted: other
     * keys under its prefix stay, and `kept_key_count` counts them.
     * NOT_FOUND (INDEX_NOT_FOUND): no such index.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.semanticmemory.v1.DropIndexResponse> dropIndex(
        dev.semanticmemory.v1.DropIndexRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDropIndexMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_ENSURE_INDEX = 0;
  private static final int METHODID_STORE = 1;
  private static final int METHODID_BATCH_STORE = 2;
  private static final int METHODID_SEARCH = 3;
  private static final int METHODID_DELETE = 4;
  private static final int METHODID_GET = 5;
  private static final int METHODID_LIST = 6;
  private static final int METHODID_DELETE_MATCHING = 7;
  private static final int METHODID_LIST_INDEXES = 8;
  private static final int METHODID_GET_INDEX = 9;
  private static final int METHODID_DROP_INDEX = 10;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_ENSURE_INDEX:
          serviceImpl.ensureIndex((dev.semanticmemory.v1.EnsureIndexRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.EnsureIndexResponse>) responseObserver);
          break;
        case METHODID_STORE:
          serviceImpl.store((dev.semanticmemory.v1.StoreRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.StoreResponse>) responseObserver);
          break;
        case METHODID_BATCH_STORE:
          serviceImpl.batchStore((dev.semanticmemory.v1.BatchStoreRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.BatchStoreResponse>) responseObserver);
          break;
        case METHODID_SEARCH:
          serviceImpl.search((dev.semanticmemory.v1.SearchRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.SearchResponse>) responseObserver);
          break;
        case METHODID_DELETE:
          serviceImpl.delete((dev.semanticmemory.v1.DeleteRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DeleteResponse>) responseObserver);
          break;
        case METHODID_GET:
          serviceImpl.get((dev.semanticmemory.v1.GetRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.GetResponse>) responseObserver);
          break;
        case METHODID_LIST:
          serviceImpl.list((dev.semanticmemory.v1.ListRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.ListResponse>) responseObserver);
          break;
        case METHODID_DELETE_MATCHING:
          serviceImpl.deleteMatching((dev.semanticmemory.v1.DeleteMatchingRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DeleteMatchingResponse>) responseObserver);
          break;
        case METHODID_LIST_INDEXES:
          serviceImpl.listIndexes((dev.semanticmemory.v1.ListIndexesRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.ListIndexesResponse>) responseObserver);
          break;
        case METHODID_GET_INDEX:
          serviceImpl.getIndex((dev.semanticmemory.v1.GetIndexRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.GetIndexResponse>) responseObserver);
          break;
        case METHODID_DROP_INDEX:
          serviceImpl.dropIndex((dev.semanticmemory.v1.DropIndexRequest) request,
              (io.grpc.stub.StreamObserver<dev.semanticmemory.v1.DropIndexResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getEnsureIndexMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.EnsureIndexRequest,
              dev.semanticmemory.v1.EnsureIndexResponse>(
                service, METHODID_ENSURE_INDEX)))
        .addMethod(
          getStoreMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.StoreRequest,
              dev.semanticmemory.v1.StoreResponse>(
                service, METHODID_STORE)))
        .addMethod(
          getBatchStoreMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.BatchStoreRequest,
              dev.semanticmemory.v1.BatchStoreResponse>(
                service, METHODID_BATCH_STORE)))
        .addMethod(
          getSearchMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.semanticmemory.v1.SearchRequest,
              dev.semanticmemory.v1.SearchResponse>(
                service, METHODID_SEARCH)))
        .addMethod(
          getDeleteMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.DeleteRequest,
              dev.semanticmemory.v1.DeleteResponse>(
                service, METHODID_DELETE)))
        .addMethod(
          getGetMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.GetRequest,
              dev.semanticmemory.v1.GetResponse>(
                service, METHODID_GET)))
        .addMethod(
          getListMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.ListRequest,
              dev.semanticmemory.v1.ListResponse>(
                service, METHODID_LIST)))
        .addMethod(
          getDeleteMatchingMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.DeleteMatchingRequest,
              dev.semanticmemory.v1.DeleteMatchingResponse>(
                service, METHODID_DELETE_MATCHING)))
        .addMethod(
          getListIndexesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.ListIndexesRequest,
              dev.semanticmemory.v1.ListIndexesResponse>(
                service, METHODID_LIST_INDEXES)))
        .addMethod(
          getGetIndexMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.GetIndexRequest,
              dev.semanticmemory.v1.GetIndexResponse>(
                service, METHODID_GET_INDEX)))
        .addMethod(
          getDropIndexMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.semanticmemory.v1.DropIndexRequest,
              dev.semanticmemory.v1.DropIndexResponse>(
                service, METHODID_DROP_INDEX)))
        .build();
  }

  private static abstract class MemoryServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    MemoryServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.semanticmemory.v1.MemoryServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("MemoryService");
    }
  }

  private static final class MemoryServiceFileDescriptorSupplier
      extends MemoryServiceBaseDescriptorSupplier {
    MemoryServiceFileDescriptorSupplier() {}
  }

  private static final class MemoryServiceMethodDescriptorSupplier
      extends MemoryServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    MemoryServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (MemoryServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new MemoryServiceFileDescriptorSupplier())
              .addMethod(getEnsureIndexMethod())
              .addMethod(getStoreMethod())
              .addMethod(getBatchStoreMethod())
              .addMethod(getSearchMethod())
              .addMethod(getDeleteMethod())
              .addMethod(getGetMethod())
              .addMethod(getListMethod())
              .addMethod(getDeleteMatchingMethod())
              .addMethod(getListIndexesMethod())
              .addMethod(getGetIndexMethod())
              .addMethod(getDropIndexMethod())
              .build();
        }
      }
    }
    return result;
  }
}
