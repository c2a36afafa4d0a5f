package dev.semanticmemory;

import static dev.semanticmemory.Arguments.notNull;

import dev.semanticmemory.v1.GetRequest;

/** The fields of a GetRequest beside the id: GetOptions.forUser("me"). */
public final class GetOptions {
  private final GetRequest.Builder request = GetRequest.newBuilder();

  private GetOptions() {}

  public static GetOptions forUser(String userId) {
    GetOptions options = new GetOptions();
    options.request.setUserId(notNull("userId", userId));
    return options;
  }

  /** For a memory of any user. Only with an id that the server created. */
  public static GetOptions forAllUsers() {
    GetOptions options = new GetOptions();
    options.request.setAllUsers(true);
    return options;
  }

  public GetOptions index(String index) {
    request.setIndex(notNull("index", index));
    return this;
  }

  GetRequest request(String id) {
    return request.clone().setId(notNull("id", id)).build();
  }
}
