package dev.semanticmemory;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import dev.semanticmemory.v1.*;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.Security;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A client of semantic_memory.v1.MemoryService. Safe for many threads.
 *
 * <p>Each method takes a request, or its first field and options: {@code search("When do we release?",
 * SearchOptions.forUser("me").k(5))}. A failed call throws a MemoryException, and a wrong option an
 * IllegalArgumentException.
 */
public final class MemoryClient implements AutoCloseable {
  static {
    keepAddressesForOneSecond();
  }

  private final ManagedChannel channel;
  private final Duration timeout;

  private MemoryClient(ManagedChannel channel, Duration timeout) {
    this.channel = channel;
    this.timeout = timeout;
  }

  /** How to reach a server. Default: plaintext, no token, a deadline of 30 seconds for each call. */
  public record Options(ChannelCredentials credentials, String token, Duration timeout) {
    public Options() {
      this(InsecureChannelCredentials.create(), null, Duration.ofSeconds(30));
    }

    /** TLS with these credentials: see {@link MemoryClient#tls}. */
    public Options withTls(ChannelCredentials tls) {
      return new Options(tls, token, timeout);
    }

    /** Sent with each call as "authorization: Bearer token". Use TLS with it. */
    public Options withToken(String token) {
      return new Options(credentials, token, timeout);
    }

    /** The deadline of each call. */
    public Options withTimeout(Duration timeout) {
      return new Options(credentials, token, timeout);
    }
  }

  public static MemoryClient connect(String address) {
    return connect(address, new Options());
  }

  /** Creates a client of the server at "host:port" or "dns:///host:port". The first call opens the connection. */
  public static MemoryClient connect(String address, Options options) {
    var builder = Grpc.newChannelBuilder(address, options.credentials())
        .defaultServiceConfig(serviceConfig())
        .keepAliveTime(1, TimeUnit.MINUTES)
        .keepAliveTimeout(20, TimeUnit.SECONDS)
        .keepAliveWithoutCalls(true)
        // Room for a hit whose context has only contents of maximum length.
        .maxInboundMessageSize(16 << 20);
    if (options.token() != null) {
      Metadata headers = new Metadata();
      headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + options.token());
      builder.intercept(MetadataUtils.newAttachHeadersInterceptor(headers));
    }
    return new MemoryClient(builder.build(), options.timeout());
  }

  /**
   * By default, gRPC and the JVM keep the addresses of a name for 30 seconds, and a client may know only servers that have
   * stopped. Both have this setting for the whole process only. A value that the application has set stays.
   */
  private static void keepAddressesForOneSecond() {
    String setting = "networkaddress.cache.ttl";
    if (System.getProperty(setting) == null) {
      System.setProperty(setting, "1");
    }
    if (Security.getProperty(setting) == null) {
      Security.setProperty(setting, "1");
    }
  }

  /** TLS that trusts the authorities of a PEM file. With a certificate and a key, which may be null, it is mutual TLS. */
  public static ChannelCredentials tls(File authorities, File certificate, File key) throws IOException {
    var credentials = TlsChannelCredentials.newBuilder().trustManager(authorities);
    if (certificate != null) {
      credentials.keyManager(certificate, key);
    }
    return credentials.build();
  }

  public EnsureIndexResponse ensureIndex(EnsureIndexRequest request) {
    return call(() -> stub().ensureIndex(request));
  }

  /** Creates an index, or checks that the existing one has these properties. "" is the server's default index. */
  public EnsureIndexResponse ensureIndex(String index, EnsureIndexOptions options) {
    return ensureIndex(options.request(index));
  }

  public StoreResponse store(StoreRequest request) {
    return call(() -> stub().store(withRequestId(request)));
  }

  /** Stores one memory. */
  public StoreResponse store(String content, StoreOptions options) {
    return store(options.request(content));
  }

  public BatchStoreResponse batchStore(BatchStoreRequest request) {
    var batch = request.toBuilder().clearMemories();
    request.getMemoriesList().forEach(memory -> batch.addMemories(withRequestId(memory)));
    return call(() -> stub().batchStore(batch.build()));
  }

  /** Stores up to 100 memories in an index; "" is the server's default index. The response has a result for each. */
  public BatchStoreResponse batchStore(String index, List<NewMemory> memories) {
    var batch = BatchStoreRequest.newBuilder().setIndex(Arguments.notNull("index", index));
    memories.forEach(memory -> batch.addMemories(memory.options().request(memory.content())));
    return batchStore(batch.build());
  }

  /** Close the hits when you leave their loop early. */
  public Hits search(SearchRequest request) {
    var stub = MemoryServiceGrpc.newBlockingV2Stub(channel).withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    return new Hits(stub.search(request));
  }

  /** Returns the hits, best first. Close them when you leave their loop early. */
  public Hits search(String queryText, SearchOptions options) {
    return search(options.request(queryText));
  }

  public DeleteResponse delete(DeleteRequest request) {
    return call(() -> stub().delete(request));
  }

  public DeleteResponse delete(String id, DeleteOptions options) {
    return delete(Arguments.list("id", id), options);
  }

  /** Deletes memories by their ids. */
  public DeleteResponse delete(List<String> ids, DeleteOptions options) {
    return delete(options.request(ids));
  }

  public GetResponse get(GetRequest request) {
    return call(() -> stub().get(request));
  }

  /** Returns one memory. */
  public GetResponse get(String id, GetOptions options) {
    return get(options.request(id));
  }

  public ListResponse list(ListRequest request) {
    return call(() -> stub().list(request));
  }

  /** Returns a page of the memories that match the options, oldest first. */
  public ListResponse list(ListOptions options) {
    return list(options.request());
  }

  public DeleteMatchingResponse deleteMatching(DeleteMatchingRequest request) {
    return call(() -> stub().deleteMatching(request));
  }

  /** Deletes the memories that match the options, or counts them with dryRun. */
  public DeleteMatchingResponse deleteMatching(DeleteMatchingOptions options) {
    return deleteMatching(options.request());
  }

  public ListIndexesResponse listIndexes(ListIndexesRequest request) {
    return call(() -> stub().listIndexes(request));
  }

  /** Describes all indexes. */
  public ListIndexesResponse listIndexes() {
    return listIndexes(ListIndexesRequest.getDefaultInstance());
  }

  public GetIndexResponse getIndex(GetIndexRequest request) {
    return call(() -> stub().getIndex(request));
  }

  /** Describes one index. "" is the server's default index. */
  public GetIndexResponse getIndex(String index) {
    return getIndex(GetIndexRequest.newBuilder().setIndex(Arguments.notNull("index", index)).build());
  }

  public DropIndexResponse dropIndex(DropIndexRequest request) {
    return call(() -> stub().dropIndex(request));
  }

  /** Removes an index and, with deleteMemories, its memories. */
  public DropIndexResponse dropIndex(String index, DropIndexOptions options) {
    return dropIndex(options.request(index));
  }

  /** Returns a client with the same connection and another deadline for each call. */
  public MemoryClient withTimeout(Duration timeout) {
    return new MemoryClient(channel, timeout);
  }

  /** The connection, for other services of the server, such as health checking, and for the generated stubs. */
  public Channel channel() {
    return channel;
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  private MemoryServiceGrpc.MemoryServiceBlockingStub stub() {
    return MemoryServiceGrpc.newBlockingStub(channel).withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
  }

  private static <T> T call(Supplier<T> call) {
    try {
      return call.get();
    } catch (StatusRuntimeException error) {
      throw new MemoryException(error);
    }
  }

  /** Adds a request id to a memory that has no id. A retry of the store then creates no duplicate. */
  private static StoreRequest withRequestId(StoreRequest memory) {
    if (memory.getId().isEmpty() && memory.getRequestId().isEmpty()) {
      return memory.toBuilder().setRequestId(UUID.randomUUID().toString()).build();
    }
    return memory;
  }

  /** Round robin over the healthy servers, and retries of UNAVAILABLE for all calls that are safe to repeat. */
  private static Map<String, Object> serviceConfig() {
    try (var file = MemoryClient.class.getResourceAsStream("service_config.json")) {
      var json = new InputStreamReader(file, StandardCharsets.UTF_8);
      return new Gson().fromJson(json, new TypeToken<Map<String, Object>>() {});
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
