<?php

// Asks a member for a chat, says something, and waits for the answer. With the extension curl.
//
// ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... php website_chat.php USER_ID "Still for sale?"

declare(strict_types=1);

function request(string $path, array $head): CurlHandle
{
    $curl = curl_init(getenv('ADDRESS') . $path);
    curl_setopt_array($curl, [CURLOPT_HTTPHEADER => $head, CURLOPT_RETURNTRANSFER => true]);
    return $curl;
}

function ask(string $verb, string $path, array $sent, string ...$head): ?array
{
    $curl = request($path, ['Content-Type: application/json', ...$head]);
    curl_setopt_array($curl, [CURLOPT_CUSTOMREQUEST => $verb, CURLOPT_POSTFIELDS => json_encode($sent)]);
    $told = json_decode((string) curl_exec($curl), true);
    if (!in_array(curl_getinfo($curl, CURLINFO_RESPONSE_CODE), [200, 201, 204], true)) {
        throw new RuntimeException($told['detail'] ?? curl_error($curl));
    }
    return $told;
}

set_exception_handler(function (Throwable $refusal): never {
    fwrite(STDERR, "{$refusal->getMessage()}\n");
    exit(1);
});
[, $other, $text] = $argv;
$login = ask('POST', '/auth/token', ['username' => getenv('NAME'), 'password' => getenv('PASSWORD')]);
$token = "Authorization: Bearer {$login['accessToken']}";
// A token is good until it is given back, also where the talk ends in a refusal; Ctrl+C alone leaves it.
register_shutdown_function(fn () => ask('DELETE', '/auth/token', [], $token));
$chat = null;
$waiting = '';
$hear = function (CurlHandle $curl, string $data) use ($login, $token, $other, $text, &$chat, &$waiting): int {
    $blocks = explode("\n\n", $waiting . $data);
    $waiting = array_pop($blocks);
    foreach (preg_grep('/^data: /m', $blocks) as $block) {
        if ($chat === null) {
            // Who listens before he speaks misses no answer: the first event tells how things stand.
            $chat = ask('POST', '/chat', ['userId' => (int) $other], $token);
            $said = ask('POST', "/chat/{$chat['id']}/messages", ['text' => $text], $token);
            echo "{$login['userId']}: {$said['text']}\n";
        }
        preg_match('/^event: (.*)$/m', $block, $event);
        preg_match('/^data: (.*)$/m', $block, $told);
        $message = $event[1] === 'message' ? json_decode($told[1], true)['message'] : null;
        if ($message && $message['chatId'] === $chat['id'] && $message['userId'] !== $login['userId']) {
            echo "{$message['userId']}: {$message['text']}\n";
            // Taking less than was given ends the transfer.
            return -1;
        }
    }
    return strlen($data);
};

$events = request('/chat/events', [$token]);
$refusal = null;
// An exception does not end a transfer, so it waits until that is over.
curl_setopt($events, CURLOPT_WRITEFUNCTION, function (CurlHandle $curl, string $data) use ($hear, &$refusal): int {
    try {
        return $hear($curl, $data);
    } catch (RuntimeException $refusal) {
        return -1;
    }
});
curl_exec($events);
if ($refusal) {
    throw $refusal;
}
