package dev.semanticmemory;

import static dev.semanticmemory.Arguments.list;
import static dev.semanticmemory.Arguments.notNegative;
import static dev.semanticmemory.Arguments.notNull;
import static dev.semanticmemory.Arguments.toDuration;

import dev.semanticmemory.v1.Consistency;
import dev.semanticmemory.v1.ContextSize;
import dev.semanticmemory.v1.Recency;
import dev.semanticmemory.v1.SearchMode;
import dev.semanticmemory.v1.SearchRequest;
import java.time.Duration;

/** The fields of a SearchRequest beside its text: SearchOptions.forUser("me").k(5). */
public final class SearchOptions extends FilterOptions<SearchOptions> {
  private final SearchRequest.Builder request = SearchRequest.newBuilder();

  private SearchOptions() {}

  public static SearchOptions forUser(String userId) {
    return new SearchOptions().userId(userId);
  }

  /** For the memories of every user. */
  public static SearchOptions forAllUsers() {
    return new SearchOptions().allUsers();
  }

  @Override
  SearchOptions self() {
    return this;
  }

  public SearchOptions index(String index) {
    request.setIndex(notNull("index", index));
    return this;
  }

  public SearchOptions queryEmbedding(float... queryEmbedding) {
    request.setQueryEmbedding(Embeddings.pack(notNull("queryEmbedding", queryEmbedding)));
    return this;
  }

  public SearchOptions embeddingModel(String embeddingModel) {
    request.setEmbeddingModel(notNull("embeddingModel", embeddingModel));
    return this;
  }

  public SearchOptions k(int k) {
    request.setK(notNegative("k", k));
    return this;
  }

  public SearchOptions minScore(double minScore) {
    request.setMinScore((float) minScore);
    return this;
  }

  public SearchOptions mode(SearchMode mode) {
    request.setMode(notNull("mode", mode));
    return this;
  }

  public SearchOptions textWeight(double textWeight) {
    request.setTextWeight((float) textWeight);
    return this;
  }

  public SearchOptions neighborWeight(double neighborWeight) {
    request.setNeighborWeight((float) neighborWeight);
    return this;
  }

  /** With the default weight of the server. */
  public SearchOptions recency(Duration halfLife) {
    request.setRecency(Recency.newBuilder().setHalfLife(toDuration("halfLife", halfLife)));
    return this;
  }

  public SearchOptions recency(Duration halfLife, double weight) {
    request.setRecency(Recency.newBuilder().setHalfLife(toDuration("halfLife", halfLife)).setWeight((float) weight));
    return this;
  }

  public SearchOptions diversity(double diversity) {
    request.setDiversity((float) diversity);
    return this;
  }

  public SearchOptions excludeIds(String... excludeIds) {
    request.clearExcludeIds().addAllExcludeIds(list("excludeIds", excludeIds));
    return this;
  }

  /** Returns memories of the session before and after each hit. */
  public SearchOptions context(int before, int after) {
    request.setContext(ContextSize.newBuilder()
        .setBefore(notNegative("before", before)).setAfter(notNegative("after", after)));
    return this;
  }

  public SearchOptions consistency(Consistency consistency) {
    request.setConsistency(notNull("consistency", consistency));
    return this;
  }

  public SearchOptions efRuntime(int efRuntime) {
    request.setEfRuntime(notNegative("efRuntime", efRuntime));
    return this;
  }

  public SearchOptions allowDegraded(boolean allowDegraded) {
    request.setAllowDegraded(allowDegraded);
    return this;
  }

  SearchRequest request(String queryText) {
    return request.clone().setQueryText(notNull("queryText", queryText)).setFilter(filter).build();
  }
}
