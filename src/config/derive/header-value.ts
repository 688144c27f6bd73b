import type { PartialConfig } from '../schema/partial-config.ts'
import type { HeaderValue } from '../schema/values.ts'

/** The value that a header gets; undefined while its secret is unknown. */
export function formatHeaderValue(value: PartialConfig<HeaderValue>, secret: string | undefined): string | undefined {
  if (value.text !== undefined) return (value.prefix ?? '') + value.text
  return secret === undefined ? undefined : (value.prefix ?? '') + secret
}
