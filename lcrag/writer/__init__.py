"""The small language model of the offline default: SmolLM2-135M-Instruct with lcrag's adapter, on the processor."""
