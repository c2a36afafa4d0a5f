package dev.semanticmemory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import dev.semanticmemory.v1.ErrorReason;
import dev.semanticmemory.v1.GetRequest;
import dev.semanticmemory.v1.GetResponse;
import dev.semanticmemory.v1.Hit;
import dev.semanticmemory.v1.ListIndexesRequest;
import dev.semanticmemory.v1.MemoryServiceGrpc;
import dev.semanticmemory.v1.SearchRequest;
import dev.semanticmemory.v1.SearchResponse;
import dev.semanticmemory.v1.StoreRequest;
import dev.semanticmemory.v1.StoreResponse;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class MemoryClientTest {
  private final Scripted scripted = new Scripted();
  private Server server;
  private MemoryClient memories;

  @BeforeEach
  void serve() throws IOException {
    HealthStatusManager health = new HealthStatusManager();
    health.setStatus(MemoryServiceGrpc.SERVICE_NAME, io.grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING);
    server = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
        .addService(scripted).addService(health.getHealthService()).intercept(scripted.tokens).build().start();
    memories = MemoryClient.connect("127.0.0.1:" + server.getPort(), new MemoryClient.Options().withToken("secret"));
  }

  @AfterEach
  void stop() {
    memories.close();
    server.shutdownNow();
  }

  @Test
  void aStoreIsRetriedUnderOneRequestId() {
    assertEquals("1", memories.store(StoreRequest.newBuilder().setUserId("u").build()).getId());
    assertEquals(3, scripted.stored.size());
    assertFalse(scripted.stored.get(0).getRequestId().isEmpty());
    assertEquals(scripted.stored.get(0), scripted.stored.get(2));
    assertTrue(scripted.seenTokens.contains("Bearer secret"));
    assertTrue(scripted.secondsLeft <= 30);
  }

  @Test
  void closingTheHitsEndsTheSearchOnTheServer() throws InterruptedException {
    try (Hits hits = memories.search(SearchRequest.getDefaultInstance())) {
      assertTrue(hits.hasNext());
    }
    assertTrue(scripted.cancelled.await(10, TimeUnit.SECONDS));
  }

  @Test
  void errorsAreTyped() {
    var error = assertThrows(MemoryException.class, () -> memories.get(GetRequest.getDefaultInstance()));
    assertEquals("INVALID_ARGUMENT INVALID_REQUEST: id: too long", error.getMessage());
    assertEquals(Status.Code.INVALID_ARGUMENT, error.code());
    assertEquals(ErrorReason.ERROR_REASON_INVALID_REQUEST, error.reason());
    assertEquals("b", error.metadata().get("a"));
    assertEquals("string.max_bytes", error.violations().get(0).getRule());
  }

  @Test
  void theErrorForAWrongAddressIsOneLine() {
    try (MemoryClient wrong = MemoryClient.connect("127.0.0.1:1")) {
      var error = assertThrows(MemoryException.class, () -> wrong.listIndexes(ListIndexesRequest.getDefaultInstance()));
      assertTrue(error.getMessage().matches("UNAVAILABLE: .*127\\.0\\.0\\.1:1.*"), error.getMessage());
    }
  }

  @Test
  void embeddingsKeepTheirBits() {
    float[] given = {Float.MIN_VALUE, -0f, Float.MAX_VALUE, 1};
    assertArrayEquals(given, Embeddings.unpack(Embeddings.pack(given)));
    assertThrows(IllegalArgumentException.class, () -> Embeddings.unpack(ByteString.copyFrom(new byte[1])));
  }

  /** Fails the first Stores, records their requests, and streams hits without end. */
  private static final class Scripted extends MemoryServiceGrpc.MemoryServiceImplBase {
    final List<StoreRequest> stored = new ArrayList<>();
    final List<String> seenTokens = new ArrayList<>();
    final CountDownLatch cancelled = new CountDownLatch(1);
    long secondsLeft;

    final ServerInterceptor tokens = new ServerInterceptor() {
      @Override
      public <A, B> ServerCall.Listener<A> interceptCall(ServerCall<A, B> call, Metadata sent, ServerCallHandler<A, B> next) {
        seenTokens.add(sent.get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER)));
        return next.startCall(call, sent);
      }
    };

    @Override
    public void store(StoreRequest request, StreamObserver<StoreResponse> answer) {
      stored.add(request);
      secondsLeft = Context.current().getDeadline().timeRemaining(TimeUnit.SECONDS);
      if (stored.size() < 3) {
        answer.onError(Status.UNAVAILABLE.asException());
        return;
      }
      answer.onNext(StoreResponse.newBuilder().setId("1").build());
      answer.onCompleted();
    }

    @Override
    public void search(SearchRequest request, StreamObserver<SearchResponse> answer) {
      ((ServerCallStreamObserver<SearchResponse>) answer).setOnCancelHandler(cancelled::countDown);
      answer.onNext(SearchResponse.newBuilder().addHits(Hit.getDefaultInstance()).build());
    }

    @Override
    public void get(GetRequest request, StreamObserver<GetResponse> answer) {
      answer.onError(StatusProto.toStatusException(com.google.rpc.Status.newBuilder()
          .setCode(Code.INVALID_ARGUMENT_VALUE).setMessage("id: too long")
          .addDetails(Any.pack(ErrorInfo.newBuilder().setReason("INVALID_REQUEST").putMetadata("a", "b").build()))
          .addDetails(Any.pack(BadRequest.newBuilder().addFieldViolations(BadRequest.FieldViolation.newBuilder()
              .setField("id").setReason("string.max_bytes")).build()))
          .build()));
    }
  }
}
