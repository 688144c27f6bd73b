/**
 * What a file or an environment variable holds, without one final line break: editors and `echo` write one, and Kubernetes gives it to
 * the variable as well. Anything else may be part of the value.
 */
export function dropFinalLineBreak(text: string): string {
  return text.replace(/\r?\n$/, '')
}
