package dev.semanticmemory;

import dev.semanticmemory.v1.Hit;
import dev.semanticmemory.v1.SearchResponse;
import dev.semanticmemory.v1.SearchSummary;
import io.grpc.Context;
import java.util.Collections;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The hits of one search, best first, to be iterated once. Close it when you leave the loop early: that ends the search on
 * the server too.
 */
public final class Hits implements Iterable<Hit>, Iterator<Hit>, AutoCloseable {
  private final Context.CancellableContext context = Context.current().withCancellation();
  private final Iterator<SearchResponse> responses;
  private Iterator<Hit> chunk = Collections.emptyIterator();
  private SearchSummary summary;

  Hits(Supplier<Iterator<SearchResponse>> search) {
    Context before = context.attach();
    try {
      responses = search.get();
    } finally {
      context.detach(before);
    }
  }

  /** What the search did; there after the last hit. */
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
      if (!MemoryClient.decoded(responses::hasNext)) {
        close();
        return false;
      }
      SearchResponse response = responses.next();
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
    context.cancel(null);
  }
}
