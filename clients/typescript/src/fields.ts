import { isMessage, ScalarType, type DescEnum, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { pack } from "./embeddings.js";

/** The name of a field in options, where a Duration is a number of milliseconds. */
export function optionName(field: DescField): string {
  return field.message?.typeName === "google.protobuf.Duration" ? `${field.localName}Ms` : field.localName;
}

/** Builds a nested message: `build` of requests.ts. */
type Build = (schema: DescMessage, fields: object, path: string) => object;

/** The value of a field as Protobuf takes it. Throws a TypeError that names the field. */
export function convert(field: DescField, value: unknown, path: string, build: Build): unknown {
  switch (field.fieldKind) {
    case "map":
      if (!isObject(value) || !Object.values(value).every((text) => typeof text === "string")) {
        throw wrong(path, value, "an object of strings");
      }
      return value;
    case "list":
      return (Array.isArray(value) ? value : [value]).map((one, index) => single(field, one, `${path}[${index}]`, build));
    default:
      return single(field, value, path, build);
  }
}

function single(field: DescField, value: unknown, path: string, build: Build): unknown {
  if (field.enum) {
    return enumNumber(field.enum, value, path);
  }
  if (field.message) {
    return submessage(field.message, value, path, build);
  }
  switch (field.scalar) {
    case ScalarType.BYTES:
      return value instanceof Uint8Array ? value : packed(value, path);
    case ScalarType.STRING:
      return typed(value, typeof value === "string", path, "a string");
    case ScalarType.BOOL:
      return typed(value, typeof value === "boolean", path, "a boolean");
    case ScalarType.FLOAT:
      return typed(value, typeof value === "number", path, "a number");
    default:
      return typed(value, Number.isInteger(value) && (value as number) >= 0, path, "a non-negative integer");
  }
}

/** The number of an enum's value, such as Role.USER or "user". */
function enumNumber(type: DescEnum, value: unknown, path: string): number {
  const known = type.values.filter((one) => one.number !== 0);
  const match = known.find((one) => one.number === value || one.localName.toLowerCase() === value);
  if (!match) {
    throw new TypeError(`${path} is ${show(value)}: use one of ${known.map((one) => show(one.localName.toLowerCase())).join(", ")}`);
  }
  return match.number;
}

function submessage(schema: DescMessage, value: unknown, path: string, build: Build): object {
  if (isMessage(value, schema)) {
    return value;
  }
  switch (schema.typeName) {
    case "google.protobuf.Timestamp":
      if (!(value instanceof Date) || Number.isNaN(value.getTime())) {
        throw wrong(path, value, "a valid Date or a Timestamp");
      }
      return timestampFromDate(value);
    case "google.protobuf.Duration":
      if (typeof value !== "number" || !Number.isFinite(value)) {
        throw wrong(path, value, "a number of milliseconds");
      }
      return durationFromMs(value);
    default:
      if (!isObject(value)) {
        throw wrong(path, value, "an object");
      }
      return build(schema, value, `${path}.`);
  }
}

function packed(value: unknown, path: string): Uint8Array {
  if (value instanceof Float32Array || (Array.isArray(value) && value.every((one) => typeof one === "number"))) {
    return pack(value);
  }
  throw wrong(path, value, "an array of numbers, a Float32Array or a Uint8Array");
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typed(value: unknown, right: boolean, path: string, expected: string): unknown {
  if (!right) {
    throw wrong(path, value, expected);
  }
  return value;
}

function wrong(path: string, value: unknown, expected: string): TypeError {
  return new TypeError(`${path} is ${show(value)}: it must be ${expected}`);
}

/** The value in a few characters, for an error message. */
export function show(value: unknown): string {
  const text = typeof value === "bigint" ? `${value}n` : JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
