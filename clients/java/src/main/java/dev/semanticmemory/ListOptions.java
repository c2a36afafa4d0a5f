package dev.semanticmemory;

import static dev.semanticmemory.Arguments.notNegative;
import static dev.semanticmemory.Arguments.notNull;

import dev.semanticmemory.v1.ListOrder;
import dev.semanticmemory.v1.ListRequest;

/** The fields of a ListRequest: ListOptions.forUser("me").pageSize(10). */
public final class ListOptions extends FilterOptions<ListOptions> {
  private final ListRequest.Builder request = ListRequest.newBuilder();

  private ListOptions() {}

  public static ListOptions forUser(String userId) {
    return new ListOptions().userId(userId);
  }

  /** For the memories of every user. */
  public static ListOptions forAllUsers() {
    return new ListOptions().allUsers();
  }

  @Override
  ListOptions self() {
    return this;
  }

  public ListOptions index(String index) {
    request.setIndex(notNull("index", index));
    return this;
  }

  public ListOptions order(ListOrder order) {
    request.setOrder(notNull("order", order));
    return this;
  }

  public ListOptions pageSize(int pageSize) {
    request.setPageSize(notNegative("pageSize", pageSize));
    return this;
  }

  public ListOptions pageToken(String pageToken) {
    request.setPageToken(notNull("pageToken", pageToken));
    return this;
  }

  public ListOptions includeEmbeddings(boolean includeEmbeddings) {
    request.setIncludeEmbeddings(includeEmbeddings);
    return this;
  }

  ListRequest request() {
    return request.clone().setFilter(filter).build();
  }
}
