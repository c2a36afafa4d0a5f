import com.google.gson.Gson;
import dev.semanticmemory.MemoryClient;
import dev.semanticmemory.MemoryException;
import dev.semanticmemory.SearchOptions;
import dev.semanticmemory.StoreOptions;
import dev.semanticmemory.v1.Role;
import java.io.File;
import java.time.Duration;
import java.util.ArrayList;

/** Calls the service for some seconds and prints a JSON line for each call: java Load.java ADDRESS CA TOKEN SECONDS */
final class Load {
  public static void main(String[] arguments) throws Exception {
    var options = new MemoryClient.Options()
        .withTls(MemoryClient.tls(new File(arguments[1]), null, null))
        .withToken(arguments[2])
        .withTimeout(Duration.ofSeconds(10));
    long end = System.currentTimeMillis() + (long) (Double.parseDouble(arguments[3]) * 1000);
    try (MemoryClient memories = MemoryClient.connect(arguments[0], options)) {
      var tasks = new ArrayList<Thread>();
      for (int task = 0; task < 3; task++) {
        String user = "java-" + task;
        tasks.add(new Thread(() -> repeat(memories, user, end)));
      }
      tasks.forEach(Thread::start);
      for (Thread task : tasks) {
        task.join();
      }
    }
  }

  private static void repeat(MemoryClient memories, String user, long end) {
    for (int count = 1; System.currentTimeMillis() < end; count++) {
      long began = System.currentTimeMillis();
      String operation = count % 4 == 0 ? "store" : "search";
      String error = null;
      try {
        call(memories, operation, user, count);
      } catch (MemoryException failure) {
        error = failure.getMessage();
      }
      long took = System.currentTimeMillis() - began;
      System.out.println(String.format("{\"at\": %s, \"operation\": \"%s\", \"seconds\": %s, \"error\": %s}",
          began / 1000.0, operation, took / 1000.0, new Gson().toJson(error)));
      pause(200 - took);
    }
  }

  private static void call(MemoryClient memories, String operation, String user, int count) {
    if (operation.equals("store")) {
      memories.store("note " + count + " of " + user,
          StoreOptions.forUser(user).sessionId("load").role(Role.ROLE_USER));
      return;
    }
    for (var hit : memories.search("which note?", SearchOptions.forUser(user))) {
      // Only the end of the stream matters.
    }
  }

  private static void pause(long milliseconds) {
    try {
      Thread.sleep(Math.max(0, milliseconds));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
