// Round robin over the healthy servers (gRFC A17). The gRPC libraries of other languages have this. Here it is built from
// parts of grpc-js: a policy wraps each connection and marks it with the status of a health Watch on that connection.
import { fromBinary, toBinary, create } from "@bufbuild/protobuf";
import { Client, connectivityState, credentials, experimental, Metadata, status, type ServiceError } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus,
} from "./generated/grpc/health/v1/health_pb.js";
import { MemoryService } from "./generated/semantic_memory/v1/memory_service_pb.js";

const NAME = "semantic_memory_healthy_round_robin";
const WATCH = `/${Health.typeName}/${Health.method.watch.name}`;
const RETRY_MS = 1000;

export const healthyRoundRobin = { [NAME]: {} };

class WatchedConnection extends experimental.BaseSubchannelWrapper {
  private stop = () => {};

  constructor(child: experimental.SubchannelInterface) {
    super(child);
    child.addConnectivityStateListener((_connection, _before, now) => {
      this.stop();
      if (now === connectivityState.READY) {
        this.watch();
      }
    });
  }

  /** Marks the connection. It is healthy until the server reports another status, or without a health service. */
  private watch(): void {
    const client = new Client(this.getAddress(), credentials.createInsecure(), { channelOverride: this.getChannel() });
    const call = client.makeServerStreamRequest(
      WATCH,
      (request) => Buffer.from(toBinary(HealthCheckRequestSchema, request)),
      (bytes) => fromBinary(HealthCheckResponseSchema, bytes),
      create(HealthCheckRequestSchema, { service: MemoryService.typeName }),
      new Metadata(),
    );
    let retry: NodeJS.Timeout | undefined;
    this.stop = () => {
      this.stop = () => {};
      clearTimeout(retry);
      call.cancel();
      this.setHealthy(true);
    };
    call.on("data", ({ status }) => this.setHealthy(status === HealthCheckResponse_ServingStatus.SERVING));
    call.on("error", (error: ServiceError) => {
      if (error.code !== status.CANCELLED && error.code !== status.UNIMPLEMENTED) {
        retry = setTimeout(() => this.watch(), RETRY_MS).unref();
      }
    });
  }

  protected override destroy(): void {
    this.stop();
    super.destroy();
  }
}

class HealthyRoundRobin extends experimental.ChildLoadBalancerHandler implements experimental.LoadBalancer {
  constructor(helper: experimental.ChannelControlHelper) {
    super(
      experimental.createChildChannelControlHelper(helper, {
        createSubchannel: (address, options) => new WatchedConnection(helper.createSubchannel(address, options)),
      }),
    );
  }

  override updateAddressList(
    ...[endpoints, , options, note]: Parameters<experimental.LoadBalancer["updateAddressList"]>
  ): boolean {
    return super.updateAddressList(endpoints, experimental.parseLoadBalancingConfig({ round_robin: {} }), options, note);
  }

  override getTypeName(): string {
    return NAME;
  }
}

class Config implements experimental.TypedLoadBalancingConfig {
  getLoadBalancerName(): string {
    return NAME;
  }
  toJsonObject(): object {
    return healthyRoundRobin;
  }
  static createFromJson(): Config {
    return new Config();
  }
}

experimental.registerLoadBalancerType(NAME, HealthyRoundRobin, Config);
