package dev.semanticmemory;

import static dev.semanticmemory.Arguments.list;
import static dev.semanticmemory.Arguments.notNull;
import static dev.semanticmemory.Arguments.toTimestamp;

import dev.semanticmemory.v1.MemoryFilter;
import dev.semanticmemory.v1.Role;
import java.time.Instant;

/** The fields of a MemoryFilter. A method replaces the earlier value of its field. */
public abstract sealed class FilterOptions<T extends FilterOptions<T>>
    permits SearchOptions, ListOptions, DeleteMatchingOptions {
  final MemoryFilter.Builder filter = MemoryFilter.newBuilder();

  abstract T self();

  T userId(String userId) {
    filter.setUserId(notNull("userId", userId));
    return self();
  }

  T allUsers() {
    filter.setAllUsers(true);
    return self();
  }

  public T sessionIds(String... ids) {
    filter.clearSessionIds().addAllSessionIds(list("sessionIds", ids));
    return self();
  }

  public T roles(Role... roles) {
    filter.clearRoles().addAllRoles(list("roles", roles));
    return self();
  }

  /** Only memories written at or after this time. */
  public T startTime(Instant time) {
    filter.setStartTime(toTimestamp("startTime", time));
    return self();
  }

  /** Only memories written before this time. */
  public T endTime(Instant time) {
    filter.setEndTime(toTimestamp("endTime", time));
    return self();
  }

  public T anyLabels(String... labels) {
    filter.clearAnyLabels().addAllAnyLabels(list("anyLabels", labels));
    return self();
  }

  public T allLabels(String... labels) {
    filter.clearAllLabels().addAllAllLabels(list("allLabels", labels));
    return self();
  }

  public T excludeSessionIds(String... ids) {
    filter.clearExcludeSessionIds().addAllExcludeSessionIds(list("excludeSessionIds", ids));
    return self();
  }
}
