package dev.semanticmemory;

import static dev.semanticmemory.Arguments.list;
import static dev.semanticmemory.Arguments.notNegative;
import static dev.semanticmemory.Arguments.notNull;

import dev.semanticmemory.v1.Algorithm;
import dev.semanticmemory.v1.EnsureIndexRequest;
import dev.semanticmemory.v1.Layout;

/** The fields of an EnsureIndexRequest beside the name: new EnsureIndexOptions().dimension(384). */
public final class EnsureIndexOptions {
  private final EnsureIndexRequest.Builder request = EnsureIndexRequest.newBuilder();

  public EnsureIndexOptions dimension(int dimension) {
    request.setDimension(notNegative("dimension", dimension));
    return this;
  }

  public EnsureIndexOptions embeddingModel(String embeddingModel) {
    request.setEmbeddingModel(notNull("embeddingModel", embeddingModel));
    return this;
  }

  public EnsureIndexOptions algorithms(Algorithm... algorithms) {
    request.clearAlgorithms().addAllAlgorithms(list("algorithms", algorithms));
    return this;
  }

  public EnsureIndexOptions layout(Layout layout) {
    request.setLayout(notNull("layout", layout));
    return this;
  }

  EnsureIndexRequest request(String index) {
    return request.clone().setIndex(notNull("index", index)).build();
  }
}
