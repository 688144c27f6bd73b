-- Calls one tool with one token after the other. Arguments: the files with the headers (name, tab, value), the tokens and the body, then
-- after how many tokens to begin.

local requests, last = {}, 0

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

function init(arguments)
  local body = read(arguments[3])
  for token in io.lines(arguments[2]) do
    local headers = { Authorization = "Bearer " .. token }
    for line in io.lines(arguments[1]) do
      local name, value = line:match("^(.-)\t(.*)$")
      headers[name] = value
    end
    requests[#requests + 1] = wrk.format("POST", nil, headers, body)
  end
  last = tonumber(arguments[4])
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  io.write(string.format('\n{"requests":%d,"seconds":%.6f,"failures":%d}\n', summary.requests, summary.duration / 1e6, failures))
end
