/** The version of the records' schema: `docs/audit.schema.json`. It rises when a reader of today would misread a record. */
export const SCHEMA_VERSION = 1

/** Longest name that clients choose. */
const MAX_TEXT = 1024

/** Cuts what clients choose: a record is a line. */
export function cutText(text: string | undefined, most = MAX_TEXT): string | undefined {
  return text !== undefined && text.length > most ? `${text.slice(0, most)}…` : text
}
