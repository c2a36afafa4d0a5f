package dev.semanticmemory;

import static dev.semanticmemory.Arguments.list;
import static dev.semanticmemory.Arguments.notNull;
import static dev.semanticmemory.Arguments.toDuration;
import static dev.semanticmemory.Arguments.toTimestamp;

import dev.semanticmemory.v1.Role;
import dev.semanticmemory.v1.StoreRequest;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;

/** The fields of a StoreRequest beside its content: StoreOptions.forUser("me").role(Role.ROLE_USER). */
public final class StoreOptions {
  private final StoreRequest.Builder request = StoreRequest.newBuilder();

  private StoreOptions() {}

  public static StoreOptions forUser(String userId) {
    StoreOptions options = new StoreOptions();
    options.request.setUserId(notNull("userId", userId));
    return options;
  }

  public StoreOptions index(String index) {
    request.setIndex(notNull("index", index));
    return this;
  }

  public StoreOptions sessionId(String sessionId) {
    request.setSessionId(notNull("sessionId", sessionId));
    return this;
  }

  public StoreOptions role(Role role) {
    request.setRole(notNull("role", role));
    return this;
  }

  public StoreOptions timestamp(Instant timestamp) {
    request.setTimestamp(toTimestamp("timestamp", timestamp));
    return this;
  }

  public StoreOptions id(String id) {
    request.setId(notNull("id", id));
    return this;
  }

  public StoreOptions requestId(String requestId) {
    request.setRequestId(notNull("requestId", requestId));
    return this;
  }

  /** The time until the memory expires. Replaces an expireTime. */
  public StoreOptions ttl(Duration ttl) {
    request.setTtl(toDuration("ttl", ttl));
    return this;
  }

  /** The time at which the memory expires. Replaces a ttl. */
  public StoreOptions expireTime(Instant expireTime) {
    request.setExpireTime(toTimestamp("expireTime", expireTime));
    return this;
  }

  public StoreOptions embedding(float... embedding) {
    request.setEmbedding(Embeddings.pack(notNull("embedding", embedding)));
    return this;
  }

  public StoreOptions embeddingModel(String embeddingModel) {
    request.setEmbeddingModel(notNull("embeddingModel", embeddingModel));
    return this;
  }

  public StoreOptions labels(String... labels) {
    request.clearLabels().addAllLabels(list("labels", labels));
    return this;
  }

  public StoreOptions metadata(Map<String, String> metadata) {
    request.clearMetadata().putAllMetadata(notNull("metadata", metadata));
    return this;
  }

  public StoreOptions nearDuplicateMinScore(double nearDuplicateMinScore) {
    request.setNearDuplicateMinScore((float) nearDuplicateMinScore);
    return this;
  }

  StoreRequest request(String content) {
    return request.clone().setContent(notNull("content", content)).build();
  }
}
