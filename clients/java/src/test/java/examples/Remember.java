package examples;

import dev.semanticmemory.MemoryClient;
import dev.semanticmemory.v1.Hit;
import dev.semanticmemory.v1.MemoryFilter;
import dev.semanticmemory.v1.Role;
import dev.semanticmemory.v1.SearchRequest;
import dev.semanticmemory.v1.StoreRequest;
import java.util.Map;

/** Remembers a conversation and asks across sessions. */
final class Remember {
  public static void main(String[] arguments) {
    String user = "duke";
    try (MemoryClient memories = MemoryClient.connect(arguments[0])) {
      Map.of("monday", "We ship on Fridays", "tuesday", "My cat is called Miso").forEach((session, content) ->
          memories.store(StoreRequest.newBuilder()
              .setUserId(user).setSessionId(session).setRole(Role.ROLE_USER).setContent(content).build()));
      SearchRequest question = SearchRequest.newBuilder()
          .setQueryText("When do we release?").setFilter(MemoryFilter.newBuilder().setUserId(user)).setK(1).build();
      for (Hit hit : memories.search(question)) {
        System.out.printf("%.3f %s %s%n", hit.getScore(), hit.getMemory().getSessionId(), hit.getMemory().getContent());
      }
    }
  }
}
