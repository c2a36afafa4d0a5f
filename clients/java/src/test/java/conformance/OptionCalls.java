package conformance;

import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import dev.semanticmemory.DeleteMatchingOptions;
import dev.semanticmemory.DeleteOptions;
import dev.semanticmemory.DropIndexOptions;
import dev.semanticmemory.Embeddings;
import dev.semanticmemory.EnsureIndexOptions;
import dev.semanticmemory.FilterOptions;
import dev.semanticmemory.GetOptions;
import dev.semanticmemory.Hits;
import dev.semanticmemory.ListOptions;
import dev.semanticmemory.MemoryClient;
import dev.semanticmemory.NewMemory;
import dev.semanticmemory.SearchOptions;
import dev.semanticmemory.StoreOptions;
import dev.semanticmemory.v1.*;
import java.time.Duration;
import java.time.Instant;

/** Calls with the fields of a request as options. */
final class OptionCalls {
  private OptionCalls() {}

  static Message call(MemoryClient client, Message request) {
    if (request instanceof StoreRequest r) {
      return client.store(r.getContent(), options(r));
    }
    if (request instanceof BatchStoreRequest r) {
      var memories = r.getMemoriesList().stream().map(one -> new NewMemory(one.getContent(), options(one))).toList();
      return client.batchStore(r.getIndex(), memories);
    }
    if (request instanceof GetRequest r) {
      var options = r.getAllUsers() ? GetOptions.forAllUsers() : GetOptions.forUser(r.getUserId());
      return client.get(r.getId(), options.index(r.getIndex()));
    }
    if (request instanceof DeleteRequest r) {
      var options = r.getAllUsers() ? DeleteOptions.forAllUsers() : DeleteOptions.forUser(r.getUserId());
      return client.delete(r.getIdsList(), options.index(r.getIndex()));
    }
    if (request instanceof ListRequest r) {
      var filter = r.getFilter();
      var options = filter.getAllUsers() ? ListOptions.forAllUsers() : ListOptions.forUser(filter.getUserId());
      withFilter(options, filter).index(r.getIndex()).order(r.getOrder()).pageToken(r.getPageToken())
          .includeEmbeddings(r.getIncludeEmbeddings());
      if (r.hasPageSize()) {
        options.pageSize(r.getPageSize());
      }
      return client.list(options);
    }
    if (request instanceof DeleteMatchingRequest r) {
      var filter = r.getFilter();
      var options = filter.getAllUsers()
          ? DeleteMatchingOptions.forAllUsers() : DeleteMatchingOptions.forUser(filter.getUserId());
      return client.deleteMatching(withFilter(options, filter).index(r.getIndex()).dryRun(r.getDryRun()));
    }
    if (request instanceof EnsureIndexRequest r) {
      var options = new EnsureIndexOptions().embeddingModel(r.getEmbeddingModel()).layout(r.getLayout())
          .algorithms(r.getAlgorithmsList().toArray(Algorithm[]::new));
      return client.ensureIndex(r.getIndex(), r.hasDimension() ? options.dimension(r.getDimension()) : options);
    }
    if (request instanceof GetIndexRequest r) {
      return client.getIndex(r.getIndex());
    }
    if (request instanceof DropIndexRequest r) {
      return client.dropIndex(r.getIndex(), new DropIndexOptions().deleteMemories(r.getDeleteMemories()));
    }
    return client.listIndexes();
  }

  static Hits search(MemoryClient client, SearchRequest r) {
    var filter = r.getFilter();
    var options = filter.getAllUsers() ? SearchOptions.forAllUsers() : SearchOptions.forUser(filter.getUserId());
    withFilter(options, filter).index(r.getIndex()).queryEmbedding(Embeddings.unpack(r.getQueryEmbedding()))
        .embeddingModel(r.getEmbeddingModel()).mode(r.getMode()).excludeIds(r.getExcludeIdsList().toArray(String[]::new))
        .consistency(r.getConsistency()).allowDegraded(r.getAllowDegraded());
    if (r.hasK()) {
      options.k(r.getK());
    }
    if (r.hasMinScore()) {
      options.minScore(r.getMinScore());
    }
    if (r.hasTextWeight()) {
      options.textWeight(r.getTextWeight());
    }
    if (r.hasNeighborWeight()) {
      options.neighborWeight(r.getNeighborWeight());
    }
    if (r.hasDiversity()) {
      options.diversity(r.getDiversity());
    }
    if (r.hasEfRuntime()) {
      options.efRuntime(r.getEfRuntime());
    }
    if (r.hasContext()) {
      options.context(r.getContext().getBefore(), r.getContext().getAfter());
    }
    if (r.hasRecency()) {
      Duration halfLife = duration(r.getRecency().getHalfLife());
      options = r.getRecency().hasWeight()
          ? options.recency(halfLife, r.getRecency().getWeight()) : options.recency(halfLife);
    }
    return client.search(r.getQueryText(), options);
  }

  private static StoreOptions options(StoreRequest r) {
    var options = StoreOptions.forUser(r.getUserId()).index(r.getIndex()).sessionId(r.getSessionId()).role(r.getRole())
        .id(r.getId()).requestId(r.getRequestId()).embedding(Embeddings.unpack(r.getEmbedding()))
        .embeddingModel(r.getEmbeddingModel()).labels(r.getLabelsList().toArray(String[]::new))
        .metadata(r.getMetadataMap());
    if (r.hasTimestamp()) {
      options.timestamp(instant(r.getTimestamp()));
    }
    if (r.hasTtl()) {
      options.ttl(duration(r.getTtl()));
    }
    if (r.hasExpireTime()) {
      options.expireTime(instant(r.getExpireTime()));
    }
    return r.hasNearDuplicateMinScore() ? options.nearDuplicateMinScore(r.getNearDuplicateMinScore()) : options;
  }

  private static <T extends FilterOptions<T>> T withFilter(T options, MemoryFilter filter) {
    options.sessionIds(filter.getSessionIdsList().toArray(String[]::new))
        .roles(filter.getRolesList().toArray(Role[]::new))
        .anyLabels(filter.getAnyLabelsList().toArray(String[]::new))
        .allLabels(filter.getAllLabelsList().toArray(String[]::new))
        .excludeSessionIds(filter.getExcludeSessionIdsList().toArray(String[]::new));
    if (filter.hasStartTime()) {
      options.startTime(instant(filter.getStartTime()));
    }
    return filter.hasEndTime() ? options.endTime(instant(filter.getEndTime())) : options;
  }

  private static Instant instant(Timestamp time) {
    return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
  }

  private static Duration duration(com.google.protobuf.Duration duration) {
    return Duration.ofSeconds(duration.getSeconds(), duration.getNanos());
  }
}
