package conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import dev.semanticmemory.Embeddings;
import dev.semanticmemory.Hits;
import dev.semanticmemory.MemoryClient;
import dev.semanticmemory.MemoryException;
import dev.semanticmemory.v1.Hit;
import dev.semanticmemory.v1.SearchRequest;
import dev.semanticmemory.v1.SearchSummary;
import io.grpc.Context;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import java.io.File;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.Map;

/** Runs the cases on standard input and prints the result of each call: see clients/conformance. */
final class Main {
  private static final String MESSAGES = "dev.semanticmemory.v1.";

  public static void main(String[] arguments) throws Exception {
    var input = new InputStreamReader(System.in, StandardCharsets.UTF_8);
    for (JsonElement element : JsonParser.parseReader(input).getAsJsonArray()) {
      JsonObject one = element.getAsJsonObject();
      JsonObject line = new JsonObject();
      line.add("name", one.get("name"));
      JsonArray results = new JsonArray();
      try (MemoryClient client = connect(one.getAsJsonObject("connect"))) {
        for (JsonElement call : one.getAsJsonArray("calls")) {
          JsonObject result = new JsonObject();
          try {
            run(client, call.getAsJsonObject(), text(one, "form"), result);
          } catch (MemoryException error) {
            result.add("error", errorFields(error));
          } catch (StatusRuntimeException error) { // from the stub of the health service
            JsonObject fields = new JsonObject();
            fields.addProperty("code", error.getStatus().getCode().name());
            fields.addProperty("text", error.getMessage());
            result.add("error", fields);
          }
          results.add(result);
        }
      }
      line.add("results", results);
      System.out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
      System.out.flush();
    }
  }

  private static MemoryClient connect(JsonObject to) throws Exception {
    var options = new MemoryClient.Options();
    if (to.has("ca")) {
      options = options.withTls(MemoryClient.tls(
          new File(text(to, "ca")), to.has("key") ? new File(text(to, "certificate")) : null,
          to.has("key") ? new File(text(to, "key")) : null));
    }
    if (to.has("token")) {
      options = options.withToken(text(to, "token"));
    }
    return MemoryClient.connect(text(to, "address"), options);
  }

  private static void run(MemoryClient client, JsonObject call, String form, JsonObject result) throws Exception {
    Thread.sleep(call.has("pause") ? (long) (1000 * call.get("pause").getAsDouble()) : 0);
    MemoryClient memories = call.has("timeout")
        ? client.withTimeout(Duration.ofMillis((long) (1000 * call.get("timeout").getAsDouble()))) : client;
    if (call.has("pack")) {
      ByteString packed = Embeddings.pack(floats(call.getAsJsonArray("pack")));
      result.addProperty("packed", HexFormat.of().formatHex(packed.toByteArray()));
      result.add("unpacked", bits(Embeddings.unpack(packed)));
    } else if (call.has("health")) {
      result.add("statuses", health(memories, call));
    } else if (text(call, "rpc").equals("Search")) {
      search(memories, call, form, result);
    } else if (form.equals("keywords")) {
      result.add("response", toJson(OptionCalls.call(memories, request(call))));
    } else {
      String rpc = text(call, "rpc");
      Message request = request(call);
      String method = Character.toLowerCase(rpc.charAt(0)) + rpc.substring(1);
      try {
        result.add("response", toJson(
            (Message) MemoryClient.class.getMethod(method, request.getClass()).invoke(memories, request)));
      } catch (InvocationTargetException error) {
        throw (Exception) error.getCause();
      }
    }
  }

  private static void search(MemoryClient client, JsonObject call, String form, JsonObject result) throws Exception {
    int take = call.has("take") ? call.get("take").getAsInt() : Integer.MAX_VALUE;
    SearchRequest request = (SearchRequest) request(call);
    JsonArray taken = new JsonArray();
    result.add("hits", taken);
    try (Hits hits = form.equals("keywords") ? OptionCalls.search(client, request) : client.search(request)) {
      for (Hit hit : hits) {
        taken.add(toJson(hit));
        if (taken.size() == take) {
          break;
        }
      }
      result.add("summary", toJson(hits.summary().orElse(SearchSummary.getDefaultInstance())));
    }
  }

  private static JsonArray health(MemoryClient memories, JsonObject call) {
    var request = HealthCheckRequest.newBuilder().setService(text(call, "service")).build();
    var stub = HealthGrpc.newBlockingStub(memories.channel());
    JsonArray statuses = new JsonArray();
    try (var context = Context.current().withCancellation()) {
      if (text(call, "health").equals("Check")) {
        statuses.add(stub.check(request).getStatus().name());
      } else {
        Context before = context.attach();
        Iterator<HealthCheckResponse> watch = stub.watch(request);
        context.detach(before);
        while (statuses.size() < call.get("take").getAsInt()) {
          statuses.add(watch.next().getStatus().name());
        }
      }
    }
    return statuses;
  }

  private static JsonObject errorFields(MemoryException error) {
    JsonObject fields = new JsonObject();
    fields.addProperty("code", error.code().name());
    fields.addProperty("reason", error.reason().name());
    fields.addProperty("text", error.getMessage());
    JsonObject metadata = new JsonObject();
    error.metadata().forEach(metadata::addProperty);
    fields.add("metadata", metadata);
    JsonArray violations = new JsonArray();
    error.violations().forEach(one -> violations.add(toJson(one)));
    fields.add("violations", violations);
    fields.addProperty("retryDelay", error.retryDelay().orElse(Duration.ZERO).toMillis() / 1000.0);
    return fields;
  }

  private static Message request(JsonObject call) throws Exception {
    Class<?> kind = Class.forName(MESSAGES + text(call, "rpc") + "Request");
    Message.Builder builder = (Message.Builder) kind.getMethod("newBuilder").invoke(null);
    JsonFormat.parser().merge(packEmbeddings(call.get("request")).toString(), builder);
    return builder.build();
  }

  private static JsonElement toJson(MessageOrBuilder message) {
    try {
      return JsonParser.parseString(JsonFormat.printer().print(message));
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalStateException(error);
    }
  }

  /** Replaces each {"float32": [bits]} by its packed bytes, which JSON has in base64. */
  private static JsonElement packEmbeddings(JsonElement value) {
    if (value.isJsonArray()) {
      JsonArray replaced = new JsonArray();
      value.getAsJsonArray().forEach(one -> replaced.add(packEmbeddings(one)));
      return replaced;
    }
    if (!value.isJsonObject()) {
      return value;
    }
    if (value.getAsJsonObject().has("float32")) {
      ByteString packed = Embeddings.pack(floats(value.getAsJsonObject().getAsJsonArray("float32")));
      return new JsonPrimitive(Base64.getEncoder().encodeToString(packed.toByteArray()));
    }
    JsonObject replaced = new JsonObject();
    for (Map.Entry<String, JsonElement> one : value.getAsJsonObject().entrySet()) {
      replaced.add(one.getKey(), packEmbeddings(one.getValue()));
    }
    return replaced;
  }

  private static float[] floats(JsonArray texts) {
    float[] numbers = new float[texts.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = Float.intBitsToFloat(Integer.parseUnsignedInt(texts.get(i).getAsString(), 16));
    }
    return numbers;
  }

  private static JsonArray bits(float[] numbers) {
    JsonArray texts = new JsonArray();
    for (float number : numbers) {
      texts.add(String.format("%08x", Float.floatToRawIntBits(number)));
    }
    return texts;
  }

  private static String text(JsonObject object, String key) {
    return object.has(key) ? object.get(key).getAsString() : "";
  }
}
