-- A game server's day: players come, meet in a room, call, text, and go. With LuaXMLRPC and LuaSocket.
--
-- ADDRESS=http://127.0.0.1:8000 KEY=... lua5.1 game_day.lua

local url = require "socket.url"
local xmlrpc = require "xmlrpc"
require "xmlrpc.http"

-- The calls of LuaXMLRPC take an address alone, so the key stands there, as the password of "server".
local endpoint = url.parse(os.getenv("ADDRESS") .. "/RPC2")
endpoint.user, endpoint.password = "server", os.getenv("KEY")

-- LuaXMLRPC leaves it to its caller that text is XML: what a player writes could pass for more than text.
local function escaped(value)
  if type(value) == "string" then return (value:gsub("&", "&amp;"):gsub("<", "&lt;")) end
  if type(value) ~= "table" then return value end
  local all = {}
  for name, each in pairs(value) do all[name] = escaped(each) end
  return all
end

local phone = setmetatable({}, {
  __index = function(_, method)
    return function(...)
      local ok, answer = xmlrpc.http.call(url.build(endpoint), method, unpack(escaped { ... }))
      if not ok then error(method .. ": " .. tostring(answer), 0) end
      if type(answer) == "table" and answer.success == false then error(method .. ": " .. answer.message, 0) end
      return answer
    end
  end,
})

local EVE, JOE = 41001, 41002
phone.Players_Connect(EVE, "license:day-eve", "555-7001", "Eve Moreno")
phone.Players_Connect(JOE, "license:day-joe", "555-7002", "Joe Banks")

local room = phone.Darkchat_CreateConversationBySrc(EVE, "Heist Planning").newConv
phone.Darkchat_JoinByCodeBySrc(JOE, room.joinCode)
phone.Darkchat_SendMessageBySrc(EVE, room.id, "¡Mañana, o nunca!")
for _, message in ipairs(phone.Darkchat_GetMessagesBySrc(JOE, room.id)) do
  print(message.type, message.sender, message.content)
end

phone.PhoneApp_AddContactBySrc(EVE, "555-7002", "Joe", "Banks", "Has a truck")
local call = phone.PhoneApp_StartCall("555-7001", "555-7002")
print("call", call.state)
phone.PhoneApp_AcceptCallBySrc(JOE)
phone.PhoneApp_EndCallBySrc(EVE)
print("call", phone.PhoneApp_GetCallHistoryBySrc(JOE)[1].outcome)

local text = phone.Messages_SendMessageToSrc(JOE, "Tyres & oil are done.", "Los Santos Customs")
print("text", text.message.content)

phone.Players_Disconnect(EVE)
phone.Players_Disconnect(JOE)
