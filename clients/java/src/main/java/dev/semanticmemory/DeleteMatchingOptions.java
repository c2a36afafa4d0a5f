package dev.semanticmemory;

import static dev.semanticmemory.Arguments.notNull;

import dev.semanticmemory.v1.DeleteMatchingRequest;

/** The fields of a DeleteMatchingRequest: DeleteMatchingOptions.forUser("me").sessionIds("monday"). */
public final class DeleteMatchingOptions extends FilterOptions<DeleteMatchingOptions> {
  private final DeleteMatchingRequest.Builder request = DeleteMatchingRequest.newBuilder();

  private DeleteMatchingOptions() {}

  public static DeleteMatchingOptions forUser(String userId) {
    return new DeleteMatchingOptions().userId(userId);
  }

  /** For the memories of every user. */
  public static DeleteMatchingOptions forAllUsers() {
    return new DeleteMatchingOptions().allUsers();
  }

  @Override
  DeleteMatchingOptions self() {
    return this;
  }

  public DeleteMatchingOptions index(String index) {
    request.setIndex(notNull("index", index));
    return this;
  }

  /** Deletes nothing and counts what would be deleted. */
  public DeleteMatchingOptions dryRun(boolean dryRun) {
    request.setDryRun(dryRun);
    return this;
  }

  DeleteMatchingRequest request() {
    return request.clone().setFilter(filter).build();
  }
}
