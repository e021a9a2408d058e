<?php

// Prints what is unread, from every app, and marks it as read. With the extensions curl and xmlrpc.
//
// ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... php unread.php

declare(strict_types=1);

$curl = curl_init(getenv('ADDRESS') . '/mobiquo/mobiquo.php');
// The empty name of a file keeps the cookie of the login for the calls that follow.
curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_COOKIEFILE => '']);
curl_setopt($curl, CURLOPT_HTTPHEADER, ['Content-Type: text/xml']);

$call = function (string $method, mixed ...$params) use ($curl): array {
    $options = ['encoding' => 'UTF-8', 'escaping' => 'markup'];
    curl_setopt($curl, CURLOPT_POSTFIELDS, xmlrpc_encode_request($method, $params, $options));
    $answer = xmlrpc_decode((string) curl_exec($curl), 'UTF-8');
    if (!is_array($answer) || !($answer['result'] ?? false)) {
        fwrite(STDERR, "$method: " . ($answer['result_text']->scalar ?? curl_error($curl)) . "\n");
        exit(1);
    }
    return $answer;
};

$call('login', getenv('NAME'), getenv('PASSWORD'));
foreach ($call('get_conversations', 0, 49)['list'] as $listed) {
    [$total, $unread] = [$listed['total_message_num'], $listed['unread_num']];
    if ($unread === 0) {
        continue;
    }
    echo "# {$listed['conv_subject']->scalar}\n";
    // A call gives 50 at most, and moves the read mark to the last of them: so the oldest come first. Of
    // what was marked as unread one's own is not counted: so it begins a call earlier.
    for ($start = max(0, $total - $unread - 50); $start < $total; $start += 50) {
        $talk = $call('get_conversation', $listed['conv_id'], $start, min($start + 49, $total - 1));
        foreach (array_filter($talk['list'], fn ($message) => $message['is_unread']) as $message) {
            $author = $talk['participants'][$message['msg_author_id']]['username']->scalar;
            echo "$author: {$message['msg_content']->scalar}\n";
        }
    }
}
echo $call('get_inbox_stat')['inbox_unread_count'], " conversations are still unread.\n";
$call('logout_user');
