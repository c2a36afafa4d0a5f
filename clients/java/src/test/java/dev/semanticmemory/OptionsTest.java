package dev.semanticmemory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.semanticmemory.v1.*;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Calls with options send the same request as a call with the message. */
final class OptionsTest {
  private static final Instant MORNING = Instant.parse("2026-01-01T08:00:00.000001Z");
  private static final Timestamp EIGHT = Timestamp.newBuilder().setSeconds(1767254400).setNanos(1000).build();
  private static final Duration HOUR = Duration.newBuilder().setSeconds(3600).build();
  private static final MemoryFilter EVERY_FILTER = MemoryFilter.newBuilder().setUserId("me").addSessionIds("s")
      .addRoles(Role.ROLE_USER).setStartTime(EIGHT).setEndTime(EIGHT).addAnyLabels("a").addAllLabels("b")
      .addExcludeSessionIds("t").build();

  private final List<Object> requests = new ArrayList<>();
  private Server server;
  private MemoryClient memories;

  @BeforeEach
  void serve() throws IOException {
    var service = ServerServiceDefinition.builder(MemoryServiceGrpc.getServiceDescriptor());
    MemoryServiceGrpc.getServiceDescriptor().getMethods().forEach(method -> service.addMethod(recording(method)));
    HealthStatusManager health = new HealthStatusManager();
    health.setStatus(MemoryServiceGrpc.SERVICE_NAME, ServingStatus.SERVING);
    server = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
        .addService(service.build()).addService(health.getHealthService()).build();
    memories = MemoryClient.connect("127.0.0.1:" + server.start().getPort());
  }

  /** Answers with an empty response. */
  private <A, B> ServerMethodDefinition<A, B> recording(MethodDescriptor<A, B> method) {
    var marshaller = (MethodDescriptor.PrototypeMarshaller<B>) method.getResponseMarshaller();
    ServerCallHandler<A, B> handler = method.getType() == MethodDescriptor.MethodType.UNARY
        ? ServerCalls.asyncUnaryCall((request, answer) -> record(request, answer, marshaller.getMessagePrototype()))
        : ServerCalls.asyncServerStreamingCall((request, answer) -> record(request, answer, marshaller.getMessagePrototype()));
    return ServerMethodDefinition.create(method, handler);
  }

  private <B> void record(Object request, StreamObserver<B> answer, B response) {
    requests.add(request);
    answer.onNext(response);
    answer.onCompleted();
  }

  @AfterEach
  void stop() {
    memories.close();
    server.shutdownNow();
  }

  private void assertSent(Object request) {
    assertEquals(List.of(request), requests);
    requests.clear();
  }

  @Test
  void store() {
    memories.store("We ship on Fridays", StoreOptions.forUser("me").index("notes").sessionId("monday")
        .role(Role.ROLE_USER).timestamp(MORNING).id("m").ttl(java.time.Duration.ofHours(1)).embedding(1, 0.5f)
        .embeddingModel("own").labels("a", "b").metadata(Map.of("key", "value")).nearDuplicateMinScore(0));
    assertSent(StoreRequest.newBuilder().setIndex("notes").setUserId("me").setSessionId("monday")
        .setRole(Role.ROLE_USER).setContent("We ship on Fridays").setTimestamp(EIGHT).setId("m").setTtl(HOUR)
        .setEmbedding(Embeddings.pack(1, 0.5f)).setEmbeddingModel("own").addLabels("a").addLabels("b")
        .putMetadata("key", "value").setNearDuplicateMinScore(0).build());
    memories.store("x", StoreOptions.forUser("me").requestId("r").expireTime(MORNING));
    assertSent(StoreRequest.newBuilder().setUserId("me").setContent("x").setRequestId("r").setExpireTime(EIGHT).build());
  }

  @Test
  void batchStore() {
    memories.batchStore("notes", List.of(new NewMemory("x", StoreOptions.forUser("me").id("1"))));
    assertSent(BatchStoreRequest.newBuilder().setIndex("notes")
        .addMemories(StoreRequest.newBuilder().setUserId("me").setContent("x").setId("1")).build());
  }

  @Test
  void search() {
    assertFalse(memories.search("When do we release?", SearchOptions.forUser("me").k(5)).hasNext());
    assertSent(SearchRequest.newBuilder().setQueryText("When do we release?")
        .setFilter(MemoryFilter.newBuilder().setUserId("me")).setK(5).build());
    assertFalse(memories.search("", SearchOptions.forAllUsers().recency(java.time.Duration.ofHours(1))).hasNext());
    assertSent(SearchRequest.newBuilder().setFilter(MemoryFilter.newBuilder().setAllUsers(true))
        .setRecency(Recency.newBuilder().setHalfLife(HOUR)).build());
  }

  @Test
  void searchWithEveryOption() {
    assertFalse(memories.search("x", SearchOptions.forUser("me").sessionIds("s").roles(Role.ROLE_USER).startTime(MORNING)
        .endTime(MORNING).anyLabels("a").allLabels("b").excludeSessionIds("t").index("notes").queryEmbedding(1)
        .embeddingModel("own").k(0).minScore(0).mode(SearchMode.SEARCH_MODE_HYBRID).textWeight(0).neighborWeight(0.5)
        .recency(java.time.Duration.ofHours(1), 0).diversity(0.25).excludeIds("m").context(1, 2)
        .consistency(Consistency.CONSISTENCY_PARTIAL).efRuntime(10).allowDegraded(true)).hasNext());
    assertSent(SearchRequest.newBuilder().setQueryText("x").setFilter(EVERY_FILTER).setIndex("notes")
        .setQueryEmbedding(Embeddings.pack(1)).setEmbeddingModel("own").setK(0).setMinScore(0)
        .setMode(SearchMode.SEARCH_MODE_HYBRID).setTextWeight(0).setNeighborWeight(0.5f)
        .setRecency(Recency.newBuilder().setHalfLife(HOUR).setWeight(0)).setDiversity(0.25f).addExcludeIds("m")
        .setContext(ContextSize.newBuilder().setBefore(1).setAfter(2)).setConsistency(Consistency.CONSISTENCY_PARTIAL)
        .setEfRuntime(10).setAllowDegraded(true).build());
  }

  @Test
  void getAndDelete() {
    memories.get("m", GetOptions.forUser("me").index("notes"));
    assertSent(GetRequest.newBuilder().setIndex("notes").setUserId("me").setId("m").build());
    memories.delete("m", DeleteOptions.forUser("me").index("notes"));
    assertSent(DeleteRequest.newBuilder().setIndex("notes").setUserId("me").addIds("m").build());
    memories.delete(List.of("m", "n"), DeleteOptions.forAllUsers());
    assertSent(DeleteRequest.newBuilder().setAllUsers(true).addIds("m").addIds("n").build());
  }

  @Test
  void listAndDeleteMatching() {
    memories.list(ListOptions.forUser("me").sessionIds("s").roles(Role.ROLE_USER).startTime(MORNING).endTime(MORNING)
        .anyLabels("a").allLabels("b").excludeSessionIds("t").index("notes").order(ListOrder.LIST_ORDER_NEWEST_FIRST)
        .pageSize(9).pageToken("next").includeEmbeddings(true));
    assertSent(ListRequest.newBuilder().setFilter(EVERY_FILTER).setIndex("notes")
        .setOrder(ListOrder.LIST_ORDER_NEWEST_FIRST).setPageSize(9).setPageToken("next").setIncludeEmbeddings(true).build());
    memories.deleteMatching(DeleteMatchingOptions.forAllUsers().index("notes").anyLabels("a").dryRun(true));
    assertSent(DeleteMatchingRequest.newBuilder().setIndex("notes")
        .setFilter(MemoryFilter.newBuilder().setAllUsers(true).addAnyLabels("a")).setDryRun(true).build());
  }

  @Test
  void indexes() {
    memories.ensureIndex("notes", new EnsureIndexOptions().dimension(3).embeddingModel("own")
        .algorithms(Algorithm.ALGORITHM_FLAT).layout(Layout.LAYOUT_HASH));
    assertSent(EnsureIndexRequest.newBuilder().setIndex("notes").setDimension(3).setEmbeddingModel("own")
        .addAlgorithms(Algorithm.ALGORITHM_FLAT).setLayout(Layout.LAYOUT_HASH).build());
    memories.listIndexes();
    assertSent(ListIndexesRequest.getDefaultInstance());
    memories.getIndex("notes");
    assertSent(GetIndexRequest.newBuilder().setIndex("notes").build());
    memories.dropIndex("notes", new DropIndexOptions().deleteMemories(true));
    assertSent(DropIndexRequest.newBuilder().setIndex("notes").setDeleteMemories(true).build());
  }

  @Test
  void optionsCanBeUsedAgain() {
    var options = DeleteOptions.forUser("me");
    memories.delete("m", options);
    memories.delete("n", options);
    assertEquals(DeleteRequest.newBuilder().setUserId("me").addIds("n").build(), requests.get(1));
  }

  @Test
  void aWrongOptionIsNamed() {
    assertWrong("userId is null: it needs a value", () -> SearchOptions.forUser(null));
    assertWrong("k is -1: it must not be negative", () -> SearchOptions.forUser("me").k(-1));
    assertWrong("ttl is PT-1S: it must not be negative", () -> StoreOptions.forUser("me").ttl(java.time.Duration.ofSeconds(-1)));
    assertWrong("labels[1] is null: it needs a value", () -> StoreOptions.forUser("me").labels("a", null));
    assertWrong("content is null: it needs a value", () -> memories.store(null, StoreOptions.forUser("me")));
    assertEquals(List.of(), requests);
  }

  private static void assertWrong(String message, org.junit.jupiter.api.function.Executable call) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, call).getMessage());
  }
}
