"""A game server's day: players come, meet in a room, call, text, and go.

ADDRESS=http://127.0.0.1:8000 KEY=... python3 game_day.py
"""

import os
from xmlrpc.client import ServerProxy

headers = [("X-API-Key", os.environ["KEY"])]
phone = ServerProxy(f"{os.environ['ADDRESS']}/RPC2", headers=headers)

MIA, LEO = 41003, 41004
phone.Players_Connect(MIA, "license:day-mia", "555-7003", "Mia Castle")
phone.Players_Connect(LEO, "license:day-leo", "555-7004", "Leo Stone")

room = phone.Darkchat_CreateConversationBySrc(MIA, "Heist Planning")["newConv"]
phone.Darkchat_JoinByCodeBySrc(LEO, room["joinCode"])
phone.Darkchat_SendMessageBySrc(MIA, room["id"], "¡Mañana, o nunca!")
for message in phone.Darkchat_GetMessagesBySrc(LEO, room["id"]):
    print(message["type"], message["sender"], message["content"])

phone.PhoneApp_AddContactBySrc(MIA, "555-7004", "Leo", "Stone", "Has a truck")
call = phone.PhoneApp_StartCall("555-7003", "555-7004")
print("call", call["state"])
phone.PhoneApp_AcceptCallBySrc(LEO)
phone.PhoneApp_EndCallBySrc(MIA)
print("call", phone.PhoneApp_GetCallHistoryBySrc(LEO)[0]["outcome"])

text = phone.Messages_SendMessageToSrc(LEO, "Tyres & oil are done.", "Los Santos Customs")
print("text", text["message"]["content"])

phone.Players_Disconnect(MIA)
phone.Players_Disconnect(LEO)
