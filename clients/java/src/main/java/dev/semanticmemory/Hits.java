package dev.semanticmemory;

import dev.semanticmemory.v1.Hit;
import dev.semanticmemory.v1.SearchResponse;
import dev.semanticmemory.v1.SearchSummary;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.util.Collections;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;

/**
 * The hits of one search, best first. They can be iterated once. Close them when you leave the loop early: that ends the
 * search on the server too.
 */
public final class Hits implements Iterable<Hit>, Iterator<Hit>, AutoCloseable {
  // Closing cancels this call, and no Context: gRPC opens the connection and its health stream in the Context of the first
  // call, so cancelling that Context would end both.
  private final BlockingClientCall<?, SearchResponse> call;
  private Iterator<Hit> chunk = Collections.emptyIterator();
  private SearchSummary summary;

  Hits(BlockingClientCall<?, SearchResponse> call) {
    this.call = call;
  }

  /** What the search did. Present after the last hit. */
  public Optional<SearchSummary> summary() {
    return Optional.ofNullable(summary);
  }

  @Override
  public Iterator<Hit> iterator() {
    return this;
  }

  @Override
  public boolean hasNext() {
    while (!chunk.hasNext()) {
      SearchResponse response = read();
      if (response == null) {
        return false;
      }
      if (response.hasSummary()) {
        summary = response.getSummary();
      }
      chunk = response.getHitsList().iterator();
    }
    return true;
  }

  @Override
  public Hit next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return chunk.next();
  }

  @Override
  public void close() {
    call.cancel("the hits were closed", null);
  }

  private SearchResponse read() {
    try {
      return call.read();
    } catch (StatusException error) {
      throw new MemoryException(error.getStatus().asRuntimeException(error.getTrailers()));
    } catch (InterruptedException error) {
      close();
      Thread.currentThread().interrupt();
      throw new MemoryException(Status.CANCELLED.withDescription("interrupted").asRuntimeException());
    }
  }
}
