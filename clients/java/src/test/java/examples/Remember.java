package examples;

import dev.semanticmemory.MemoryClient;
import dev.semanticmemory.SearchOptions;
import dev.semanticmemory.StoreOptions;
import dev.semanticmemory.v1.Hit;
import dev.semanticmemory.v1.Role;
import java.util.Map;

/** Stores two messages of different sessions and searches them. */
final class Remember {
  public static void main(String[] arguments) {
    String user = "duke";
    try (MemoryClient memories = MemoryClient.connect(arguments[0])) {
      Map.of("monday", "We ship on Fridays", "tuesday", "My cat is called Miso").forEach((session, content) ->
          memories.store(content, StoreOptions.forUser(user).sessionId(session).role(Role.ROLE_USER)));
      for (Hit hit : memories.search("When do we release?", SearchOptions.forUser(user).k(1))) {
        System.out.printf("%.3f %s %s%n", hit.getScore(), hit.getMemory().getSessionId(), hit.getMemory().getContent());
      }
    }
  }
}
