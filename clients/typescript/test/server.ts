import { type TestContext } from "node:test";
import { create, fromBinary, toBinary, type DescMethod, type DescService } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { connect, MemoryService } from "../src/index.js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../src/generated/grpc/health/v1/health_pb.js";

type Handlers = Record<string, (call: any, answer?: any) => void>;

/** Starts a server with these handlers. Returns a client of it, with the token "secret". */
export async function serve(t: TestContext, handlers: Handlers, health: Handlers = {}) {
  const server = new grpc.Server();
  add(server, MemoryService, handlers);
  add(server, Health, { watch: (call) => call.write({ status: Serving.SERVING }), ...health });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  const client = connect(`127.0.0.1:${port}`, { token: "secret" });
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  return client;
}

function add(server: grpc.Server, service: DescService, handlers: Handlers): void {
  const definition = ({ name, input, output, methodKind }: DescMethod) => ({
    path: `/${service.typeName}/${name}`,
    requestStream: false,
    responseStream: methodKind === "server_streaming",
    requestSerialize: (message: any) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary(input, bytes),
    responseSerialize: (message: any) => Buffer.from(toBinary(output, create(output, message))),
    responseDeserialize: (bytes: Buffer) => fromBinary(output, bytes),
  });
  const used = service.methods.filter((method) => method.localName in handlers);
  server.addService(Object.fromEntries(used.map((one) => [one.localName, definition(one)])), handlers);
}
