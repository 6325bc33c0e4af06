"""A registered generator's weights, its neutral faces and its inputs."""
