import { isFieldSet, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { durationMs, timestampDate, type Duration, type Timestamp } from "@bufbuild/protobuf/wkt";
import { unpack } from "../src/index.js";

type Fields = Record<string, unknown>;

const POSITIONAL: Record<string, string> = {
  Store: "content",
  BatchStore: "memories",
  Search: "queryText",
  Get: "id",
  Delete: "ids",
  EnsureIndex: "index",
  GetIndex: "index",
  DropIndex: "index",
};

/** The arguments of a call with the fields of the request as options. */
export function optionArguments(rpc: string, schema: DescMessage, request: Message): unknown[] {
  const { filter, ...own } = fields(schema, request);
  const options = { ...own, ...(filter as object | undefined) };
  const positional = POSITIONAL[rpc];
  if (!positional) {
    return [options];
  }
  const { [positional]: first = positional === "memories" || positional === "ids" ? [] : "", ...others } = options as Fields;
  return [first, others];
}

function fields(schema: DescMessage, message: Message): Fields {
  return Object.fromEntries(schema.fields.filter((field) => isFieldSet(message, field)).map((field) => {
    const value = field.oneof
      ? ((message as unknown as Fields)[field.oneof.localName] as { value: unknown }).value
      : (message as unknown as Fields)[field.localName];
    const name = field.message?.typeName === "google.protobuf.Duration" ? `${field.localName}Ms` : field.localName;
    return [name, field.fieldKind === "list" ? (value as unknown[]).map((one) => option(field, one)) : option(field, value)];
  }));
}

/** A value as a program would write it. */
function option(field: DescField, value: unknown): unknown {
  if (field.fieldKind === "map") {
    return value;
  }
  if (field.enum) {
    return field.enum.value[value as number]!.localName.toLowerCase();
  }
  switch (field.message?.typeName) {
    case undefined:
      return value instanceof Uint8Array ? Array.from(unpack(value)) : value;
    case "google.protobuf.Timestamp":
      return (value as Timestamp).nanos % 1e6 === 0 ? timestampDate(value as Timestamp) : value; // A Date has milliseconds.
    case "google.protobuf.Duration":
      return durationMs(value as Duration);
    default:
      return fields(field.message!, value as Message);
  }
}
