const GAP = '  '

/**
 * Rows in columns.
 *
 * @param head - titles of the columns
 * @param rows - cells; a cell of several lines makes its row higher
 * @returns lines without blanks at their ends
 */
export function formatTable(head: readonly string[], rows: readonly (readonly (readonly string[])[])[]): string[] {
  const cells = [head.map((title) => [title]), ...rows]
  const widths = head.map((_, column) => Math.max(...cells.flatMap((row) => (row[column] ?? []).map((line) => line.length))))
  return cells.flatMap((row) => formatRow(row, widths))
}

/** The same cells for a screen that the table is too wide for: a block for each row, a line for each title. */
export function formatBlocks(head: readonly string[], rows: readonly (readonly (readonly string[])[])[]): string[] {
  return rows.flatMap((row, index) => {
    const lines = formatTable(
      ['', ''],
      head.slice(1).map((title, column) => [[title], row[column + 1] ?? []]),
    )
    return [...(index === 0 ? [] : ['']), ...(row[0] ?? []), ...lines.slice(1).map((line) => `  ${line}`)]
  })
}

function formatRow(row: readonly (readonly string[])[], widths: readonly number[]): string[] {
  const height = Math.max(1, ...row.map((cell) => cell.length))
  return Array.from({ length: height }, (_, line) =>
    widths
      .map((width, column) => (row[column]?.[line] ?? '').padEnd(width))
      .join(GAP)
      .trimEnd(),
  )
}
