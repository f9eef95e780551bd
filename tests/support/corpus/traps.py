"""The traps of the corpus, by name: each is a way in which a reader of these logs has counted wrong."""

from enum import StrEnum


class Trap(StrEnum):
    """What a session of the corpus holds on purpose."""

    # Claude Code
    SEVERAL_LINES = "a response on several lines"
    RESULTS_BETWEEN = "tool results between the lines of one response"
    PARTIAL_IN_SUBAGENT = "early lines of a sub-agent's response with a part of its output"
    PARTIAL_IN_MAIN = "the same in a main transcript of an older version"
    RESUMED = "a session resumed days later in the same file"
    FORKED = "a fork that copies the whole history under its own session id"
    PARENT_RESUMED_AFTER_FORK = "a session that goes on after its fork was made"
    SIDE_QUESTION = "a side question that replays its session under new request ids"
    SIDE_QUESTION_READ_FIRST = "such a replay in a file that is older than the session's last line"
    NO_REQUEST_ID = "a gateway that passes no request id on"
    CONSTANT_MESSAGE_ID = "a relay that gives every response the same message id"
    SYNTHETIC = "a message that the program wrote itself"
    TOOL_RESULT_USAGE = "a copy of a sub-agent's usage in a tool result"
    ITERATIONS = "the same tokens again in `usage.iterations`"
    PROGRESS_LINES = "`progress` lines of an older version that copy a sub-agent's messages"
    NULL_ID_IN_ARGUMENTS = 'tool arguments that hold `"id": null`'
    ARGUMENTS_LIKE_USAGE = "tool arguments that look like billed lines"
    INVALID_UTF8 = "a byte that is not UTF-8"
    NULS = "a run of NULs before a line"
    CARRIAGE_RETURNS = "lines that end with CR LF"
    TRUNCATED_LAST_LINE = "a last line that was cut off"
    TRUNCATED_MIDDLE = "a line cut off in the middle of a file, with the next one glued on"
    NO_LAST_LINE_END = "a whole last line without its line end"
    UNKNOWN_FIELDS = "fields and counts that no version has yet"
    HUGE_LINE = "a line of megabytes"
    NO_CACHE_SPLIT = "cache writes that are not told apart"
    SECOND_FOLDER = "the same file in both of Claude Code's folders"

    # Codex
    USAGE_RECORDS = "usage records beside the counters that repeat them"
    OLD_COUNTERS = "counters alone"
    REEMITTED = "a counter that is told again"
    NULL_INFO = "a counter without counts"
    MISSING_LAST = "a counter that tells the total alone"
    COUNTER_RESET = "a total that starts again"
    EQUAL_COUNTS_ELSEWHERE = "a stranger's session with the very same counts"
    REPLAYED_FORK = "a fork that replays its parent's counters at new times"
    REPLAYED_FORK_OF_FORK = "a fork of such a fork"
    PAGED_FORK = "a fork whose first total starts at its parent's"
    SUBAGENT = "a sub-agent's file with two session lines"
    MODEL_IN_TURN = "a model that changes with a turn"
    MODEL_IN_SETTINGS = "a model that changes with the settings"
    ARCHIVED = "a file that was moved to the archive"
    ARCHIVED_COPY = "a file in the archive and in its old place"
    REASONING_INSIDE = "reasoning that is a part of the output"

    # OpenCode
    ROWS_IN_WAL = "rows in the write-ahead log alone"
    COPIED_MESSAGES = "a fork that copies messages under new ids"
    JSON_OVERLAP = "messages both in files of the older version and in the database"
    JSON_ONLY = "messages in files of the older version alone"
    REASONING_APART = "reasoning that is not a part of the output"
    UNBILLED_MESSAGES = "messages without tokens"

    # Gemini, Qwen, Copilot
    REWRITTEN_ID = "a message that is written again"
    SET_MESSAGES = "an update that carries messages again"
    REWOUND = "messages that were taken back, and billed all the same"
    WHOLE_JSON = "a session of an older version in one JSON document"
    THOUGHTS_EXTRA = "thoughts beside the output"
    BACKGROUND_CALL = "a call that telemetry alone shows"
    ASSISTANT_COPY = "assistant lines that repeat telemetry"
    SHUTDOWN_SUM = "a last line that sums the session up"
    COPIED_RECORD = "a record copied from another session"

    # Prices
    LONG_CONTEXT = "a request above its model's threshold"
    AT_THRESHOLD = "a request exactly at its model's threshold"
    FAST = "a response in fast mode"
    WEB_SEARCHES = "web searches"
    UNKNOWN_MODEL = "a model without a known price"
