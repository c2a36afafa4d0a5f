import type { Hit, SearchResponse, SearchSummary } from "./generated/semantic_memory/v1/memory_service_pb.js";

/** The hits of one search, which can be iterated once. */
export class Hits implements AsyncIterable<Hit> {
  /** What the search did. Set after the last hit. */
  summary: SearchSummary | undefined;

  constructor(private readonly responses: AsyncIterable<SearchResponse>) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Hit, void> {
    for await (const response of this.responses) {
      this.summary = response.summary;
      yield* response.hits;
    }
  }
}
