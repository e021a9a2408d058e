-- Texts a player once, however often it has to be sent. With LuaXMLRPC and LuaSocket.
--
-- ADDRESS=http://127.0.0.1:8000 KEY=... lua5.1 send_once.lua 555-0101 "Your car is ready." "Los Santos Customs"

local http = require "socket.http"
local ltn12 = require "ltn12"
local socket = require "socket"
local xmlrpc = require "xmlrpc"

math.randomseed(socket.gettime() * 1000 % 2 ^ 31)
local key = ("text-%d-%d"):format(os.time(), math.random(2 ^ 30))

-- LuaXMLRPC leaves it to its caller that text is XML.
local function escaped(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"))
end

local body = xmlrpc.clEncode("Messages_SendMessageToNumber", arg[1], escaped(arg[2]), escaped(arg[3]))

local function send()
  local answer = {}
  local _, status = http.request {
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
  if status ~= 200 then return false, status end
  return xmlrpc.clDecode(table.concat(answer))
end

for _, pause in ipairs { 0.2, 1, 5, 20 } do
  local ok, answer = send()
  if ok then
    if not answer.success then error(answer.message, 0) end
    print(("It is message %d."):format(answer.message.id))
    os.exit(0)
  end
  -- No answer, half of one, or a server that cannot write for a moment: the same again, under the same key.
  print("Once more, after " .. tostring(answer))
  socket.sleep(pause)
end
error("The server does not answer.", 0)
