<?php

// Says something in a conversation once, however often it has to be sent. With nothing but PHP.
//
// ADDRESS=http://127.0.0.1:8000 TOKEN=... php send_once.php CONVERSATION "On my way."

declare(strict_types=1);

[, $conversation, $text] = $argv;
$head = ['Content-Type: application/json', 'Authorization: Bearer ' . getenv('TOKEN')];
$head[] = 'Idempotency-Key: ' . bin2hex(random_bytes(16));
$sent = ['method' => 'POST', 'header' => $head, 'content' => json_encode(['text' => $text]), 'ignore_errors' => true];
$context = stream_context_create(['http' => $sent]);

foreach ([0.2, 1, 5, 20] as $pause) {
    $answer = @file_get_contents(getenv('ADDRESS') . "/chat/$conversation/messages", false, $context);
    $status = (int) substr($http_response_header[0] ?? '', 9, 3);
    $message = json_decode((string) $answer, true);
    if ($status === 201 && $message !== null) {
        exit("It is message {$message['id']}.\n");
    }
    if ($status >= 400 && $status < 500 && $status !== 429) {
        fwrite(STDERR, ($message['detail'] ?? $http_response_header[0]) . "\n");
        exit(1);
    }
    // No answer, half of one, or a server that cannot write for a moment: the same again, under the same key.
    echo "Once more.\n";
    $http_response_header = null;
    usleep((int) ($pause * 1e6));
}
fwrite(STDERR, "The server does not answer.\n");
exit(1);
