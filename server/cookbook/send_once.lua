-- Texts a player once, however often it has to be sent. With LuaXMLRPC and LuaSocket.
--
-- ADDRESS=http://127.0.0.1:8000 KEY=... lua5.1 send_once.lua 555-0101 "Your car is ready." "Los Santos Customs"

local http = require "socket.http"
local ltn12 = require "ltn12"
local socket = require "socket"
local xmlrpc = require "xmlrpc"

-- From a clock two programs that begin at the same moment would get one key, and the second would send nothing.
local source = assert(io.open("/dev/urandom", "rb"))
local key = source:read(16):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
source:close()

-- LuaXMLRPC leaves it to its caller that text is XML.
local function escaped(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"))
end

local body = xmlrpc.clEncode("Messages_SendMessageToNumber", arg[1], escaped(arg[2]), escaped(arg[3]))

-- Too much at once, a server that cannot write for a moment, and an error of its own.
local passing = { [429] = true, [503] = true, [-32603] = true }

-- What was answered; or nothing, the reason, and whether the same call may fare better in a moment.
local function send()
  local answer = {}
  local received, status, _, line = http.request {
    url = os.getenv("ADDRESS") .. "/RPC2",
    method = "POST",
    headers = {
      ["X-API-Key"] = os.getenv("KEY"),
      ["Idempotency-Key"] = key,
      ["Content-Type"] = "text/xml",
      ["Content-Length"] = #body,
    },
    source = ltn12.source.string(body),
    sink = ltn12.sink.table(answer),
  }
  if not received then return nil, status, true end
  if status ~= 200 then return nil, line, status == 429 or status >= 500 end
  local is_whole, ok, told, code = pcall(xmlrpc.clDecode, table.concat(answer))
  if not is_whole then return nil, "half an answer", true end
  if not ok then return nil, told, passing[code] end
  return told
end

for _, pause in ipairs { 0.2, 1, 5, 20 } do
  local answer, reason, may_pass = send()
  if answer then
    if not answer.success then error(answer.message, 0) end
    print(("It is message %d."):format(answer.message.id))
    os.exit(0)
  end
  if not may_pass then error(reason, 0) end
  print("Once more, under the same key, after: " .. reason)
  socket.sleep(pause)
end
error("The server does not answer.", 0)
