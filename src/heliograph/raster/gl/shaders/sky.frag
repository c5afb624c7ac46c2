// What is behind everything: written wherever nothing was drawn, in every pass. RADIANCE_SHOWN: light
// from all around as it is seen, which is linear; all else is what a screen shows already.
uniform vec3 colour;
#ifdef RADIANCE_SHOWN
#include tone
uniform sampler2D sky;
#endif
#ifdef CUBE_TEXTURE
uniform samplerCube sky;
#endif
#ifdef FLAT_TEXTURE
uniform sampler2D sky;  // as it was drawn for this very camera before
#endif
void main() {
#ifdef RGB
#ifdef FLAT_TEXTURE
    vec3 rgb = texelFetch(sky, ivec2(gl_FragCoord.xy), 0).rgb;
#else
    vec3 rgb = colour;
#endif
#ifdef CUBE_TEXTURE
    vec2 where = orthographic > 0.0 ? vec2(0.0) : gl_FragCoord.xy * unproject.xy + unproject.zw;
    vec3 ray = mat3(world_from_camera) * vec3(where, -1.0);
    rgb = texture(sky, vec3(ray.x, ray.z, -ray.y)).rgb;  // cube maps have y up, our world has z
#endif
#ifdef RADIANCE_SHOWN
    vec2 where = gl_FragCoord.xy * unproject.xy + unproject.zw;
    vec3 ray = mat3(world_from_camera) * normalize(vec3(orthographic > 0.0 ? vec2(0.0) : where, -1.0));
    vec2 part = vec2(atan(ray.x, ray.y) / 6.2831853 + 0.5, 0.5 - asin(clamp(ray.z, -1.0, 1.0)) / 3.1415927);
    rgb = shown(levels.y * textureLod(sky, part, 0.0).rgb);
#endif
#ifdef HAZE
    vec3 way = mat3(world_from_camera) * vec3(gl_FragCoord.xy * unproject.xy + unproject.zw, -1.0);
    float height = dot(haze_plane.xyz, world_from_camera[3].xyz) + haze_plane.w;
    rgb = mix(rgb, haze.rgb, height > 0.0 ? haze_along(way) : 0.0);
#endif
    o_rgb = vec4(rgb, 1.0);
#endif
#ifdef ALPHA
    o_alpha = vec4(0.0);
#endif
#ifdef DISTANCE
    o_distance = uintBitsToFloat(0x7F800000u);
#endif
#ifdef DEPTH
    o_depth = uintBitsToFloat(0x7F800000u);
#endif
#ifdef NORMALS
    o_normal = vec4(0.0);
#endif
#ifdef SEGMENTATION
    o_id = 0;
#endif
}
