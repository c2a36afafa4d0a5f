import { create, isMessage, type DescField, type DescMessage, type DescMethod, type DescOneof } from "@bufbuild/protobuf";
import { convert, optionName, show } from "./fields.js";
import { MemoryFilterSchema } from "./generated/semantic_memory/v1/memory_pb.js";
import type { CallOptions } from "./options.js";

type Fields = Record<string, unknown>;

/** The field that a method takes as its first argument. */
const POSITIONAL: Record<string, string> = {
  store: "content",
  batchStore: "memories",
  search: "queryText",
  get: "id",
  delete: "ids",
  ensureIndex: "index",
  getIndex: "index",
  dropIndex: "index",
};

/**
 * The request of a call, and its call options. The arguments are the first field and options; options alone, for List and
 * DeleteMatching; or a request and call options. Throws a TypeError that names a wrong field.
 */
export function toCall(method: DescMethod, first: unknown = {}, second: object = {}): [Fields, CallOptions] {
  const positional = POSITIONAL[method.localName];
  if (typeof first === "string" || Array.isArray(first)) {
    if (!positional) {
      throw new TypeError(`the first argument of ${method.localName} is ${show(first)}: pass an object`);
    }
    const { timeoutMs, signal, ...options } = second as CallOptions;
    if (positional in options) {
      throw new TypeError(`${positional} is set twice: pass it only as the first argument`);
    }
    return [build(method.input, { [positional]: first, ...options }), { timeoutMs, signal }];
  }
  if (typeof first !== "object" || first === null) {
    throw new TypeError(`the first argument of ${method.localName} is ${show(first)}: pass ${positional ?? "an object"}`);
  }
  if (positional || "filter" in first || isMessage(first)) {
    return [first as Fields, second];
  }
  const { timeoutMs, signal, ...options } = { ...second, ...first } as CallOptions;
  return [build(method.input, options), { timeoutMs, signal }];
}

/** A message with these fields. Those of its filter may stand beside its own. */
function build(schema: DescMessage, fields: object, path = ""): Fields {
  const own = byOptionName(schema);
  const ofFilter = byOptionName(own.has("filter") ? MemoryFilterSchema : undefined);
  const init: Fields = {};
  const filter: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    const field = own.get(name);
    if (!field && !ofFilter.has(name)) {
      const known = [...own.keys(), ...ofFilter.keys()].sort().join(", ");
      throw new TypeError(`${path}${name} is not a field of ${schema.name}: use one of ${known}`);
    }
    if (value === undefined) {
      continue;
    }
    if (!field) {
      filter[name] = value;
      continue;
    }
    const converted = convert(field, value, path + name, build);
    if (field.oneof) {
      requireOne(field.oneof, fields, path);
      init[field.oneof.localName] = { case: field.localName, value: converted };
    } else {
      init[field.localName] = converted;
    }
  }
  if (ofFilter.size > 0) {
    const [inFilter] = Object.keys(filter);
    if (inFilter && init["filter"]) {
      throw new TypeError(`filter and ${inFilter} are both set: use one of them`);
    }
    // Send an empty filter too: the error of the server then names user_id and not filter.
    init["filter"] ??= build(MemoryFilterSchema, filter);
  }
  return create(schema, init);
}

function requireOne(oneof: DescOneof, fields: object, path: string): void {
  const present = Object.entries(fields).filter(([name, value]) => value !== undefined && byOptionName(oneof).has(name));
  if (present.length > 1) {
    throw new TypeError(`${present.map(([name]) => path + name).join(" and ")} are both set: use one of them`);
  }
}

function byOptionName(schema: { fields: readonly DescField[] } | undefined): Map<string, DescField> {
  return new Map(schema?.fields.map((field) => [optionName(field), field]));
}
