package dev.semanticmemory;

import static dev.semanticmemory.Arguments.notNull;

import dev.semanticmemory.v1.DropIndexRequest;

/** The fields of a DropIndexRequest beside the name: new DropIndexOptions().deleteMemories(true). */
public final class DropIndexOptions {
  private final DropIndexRequest.Builder request = DropIndexRequest.newBuilder();

  public DropIndexOptions deleteMemories(boolean deleteMemories) {
    request.setDeleteMemories(deleteMemories);
    return this;
  }

  DropIndexRequest request(String index) {
    return request.clone().setIndex(notNull("index", index)).build();
  }
}
