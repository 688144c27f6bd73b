/**
 * Leaves out fields by their names.
 *
 * @param fields - alternating names (lower case) and values
 */
export function dropFields(fields: readonly string[], names: ReadonlySet<string>): string[] {
  return fields.filter((_, index) => !names.has(fields[index - (index % 2)] ?? ''))
}
