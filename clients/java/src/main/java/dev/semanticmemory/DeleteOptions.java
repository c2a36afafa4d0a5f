package dev.semanticmemory;

import static dev.semanticmemory.Arguments.notNull;

import dev.semanticmemory.v1.DeleteRequest;
import java.util.List;

/** The fields of a DeleteRequest beside the ids: DeleteOptions.forUser("me"). */
public final class DeleteOptions {
  private final DeleteRequest.Builder request = DeleteRequest.newBuilder();

  private DeleteOptions() {}

  public static DeleteOptions forUser(String userId) {
    DeleteOptions options = new DeleteOptions();
    options.request.setUserId(notNull("userId", userId));
    return options;
  }

  /** For a memory of any user. Only with an id that the server created. */
  public static DeleteOptions forAllUsers() {
    DeleteOptions options = new DeleteOptions();
    options.request.setAllUsers(true);
    return options;
  }

  public DeleteOptions index(String index) {
    request.setIndex(notNull("index", index));
    return this;
  }

  DeleteRequest request(List<String> ids) {
    return request.clone().addAllIds(notNull("ids", ids)).build();
  }
}
