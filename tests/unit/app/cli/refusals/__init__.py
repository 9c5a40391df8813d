"""What ``strongroom check`` refuses, asked of each provider over the network."""
