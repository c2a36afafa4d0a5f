package dev.semanticmemory;

/** One memory of a batch. */
public record NewMemory(String content, StoreOptions options) {}
