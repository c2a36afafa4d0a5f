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
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** A client of semantic_memory.v1.MemoryService. Its errors are MemoryExceptions. Safe for many threads. */
public final class MemoryClient implements AutoCloseable {
  private final ManagedChannel channel;
  private final Duration timeout;

  private MemoryClient(ManagedChannel channel, Duration timeout) {
    this.channel = channel;
    this.timeout = timeout;
  }

  /** How to reach a server. Without further options: plaintext, no token, 30 seconds for a call. */
  public record Options(ChannelCredentials credentials, String token, Duration timeout) {
    public Options() {
      this(InsecureChannelCredentials.create(), null, Duration.ofSeconds(30));
    }

    /** TLS that trusts the roots of Java, or what TlsChannelCredentials says. */
    public Options withTls(ChannelCredentials tls) {
      return new Options(tls, token, timeout);
    }

    /** Sent with each call as "authorization: Bearer token". Use TLS with it. */
    public Options withToken(String token) {
      return new Options(credentials, token, timeout);
    }

    /** How long a call may take. */
    public Options withTimeout(Duration timeout) {
      return new Options(credentials, token, timeout);
    }
  }

  public static MemoryClient connect(String address) {
    return connect(address, new Options());
  }

  /** A client of the server at "host:port" or "dns:///host:port". The first call makes the connection. */
  public static MemoryClient connect(String address, Options options) {
    var builder = Grpc.newChannelBuilder(address, options.credentials())
        .defaultServiceConfig(serviceConfig())
        .keepAliveTime(1, TimeUnit.MINUTES)
        .keepAliveTimeout(20, TimeUnit.SECONDS)
        .keepAliveWithoutCalls(true)
        // A hit whose whole context is of the longest contents.
        .maxInboundMessageSize(16 << 20);
    if (options.token() != null) {
      Metadata headers = new Metadata();
      headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + options.token());
      builder.intercept(MetadataUtils.newAttachHeadersInterceptor(headers));
    }
    return new MemoryClient(builder.build(), options.timeout());
  }

  /** TLS that trusts the authorities of a PEM file and, unless null, shows a certificate of its own. */
  public static ChannelCredentials tls(File authorities, File certificate, File key) throws IOException {
    var credentials = TlsChannelCredentials.newBuilder().trustManager(authorities);
    if (certificate != null) {
      credentials.keyManager(certificate, key);
    }
    return credentials.build();
  }

  public EnsureIndexResponse ensureIndex(EnsureIndexRequest request) {
    return decoded(() -> stub().ensureIndex(request));
  }

  public StoreResponse store(StoreRequest request) {
    return decoded(() -> stub().store(repeatable(request)));
  }

  public BatchStoreResponse batchStore(BatchStoreRequest request) {
    var repeatable = request.toBuilder().clearMemories();
    request.getMemoriesList().forEach(memory -> repeatable.addMemories(repeatable(memory)));
    return decoded(() -> stub().batchStore(repeatable.build()));
  }

  /** Close the hits when you leave their loop early. */
  public Hits search(SearchRequest request) {
    var stub = MemoryServiceGrpc.newBlockingV2Stub(channel).withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    return new Hits(stub.search(request));
  }

  public DeleteResponse delete(DeleteRequest request) {
    return decoded(() -> stub().delete(request));
  }

  public GetResponse get(GetRequest request) {
    return decoded(() -> stub().get(request));
  }

  public ListResponse list(ListRequest request) {
    return decoded(() -> stub().list(request));
  }

  public DeleteMatchingResponse deleteMatching(DeleteMatchingRequest request) {
    return decoded(() -> stub().deleteMatching(request));
  }

  public ListIndexesResponse listIndexes(ListIndexesRequest request) {
    return decoded(() -> stub().listIndexes(request));
  }

  public GetIndexResponse getIndex(GetIndexRequest request) {
    return decoded(() -> stub().getIndex(request));
  }

  public DropIndexResponse dropIndex(DropIndexRequest request) {
    return decoded(() -> stub().dropIndex(request));
  }

  /** The same connection with another time for each call. */
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

  private static <T> T decoded(Supplier<T> call) {
    try {
      return call.get();
    } catch (StatusRuntimeException error) {
      throw new MemoryException(error);
    }
  }

  /** Gives a memory a request id, unless it has an id: what makes a retry of Store safe. */
  private static StoreRequest repeatable(StoreRequest memory) {
    if (memory.getId().isEmpty() && memory.getRequestId().isEmpty()) {
      return memory.toBuilder().setRequestId(UUID.randomUUID().toString()).build();
    }
    return memory;
  }

  /** Round robin over healthy servers, and a retry of UNAVAILABLE for all calls that are safe to repeat. */
  private static Map<String, Object> serviceConfig() {
    try (var file = MemoryClient.class.getResourceAsStream("service_config.json")) {
      var json = new InputStreamReader(file, StandardCharsets.UTF_8);
      return new Gson().fromJson(json, new TypeToken<Map<String, Object>>() {});
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
